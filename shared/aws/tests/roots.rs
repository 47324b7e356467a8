//! The embedded roots of AWS are those that Mozilla's program trusts under the same names.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may fail loudly"
)]

use data_encoding::BASE64;

const NAMES: [&str; 5] = [
    "Amazon Root CA 1",
    "Amazon Root CA 2",
    "Amazon Root CA 3",
    "Amazon Root CA 4",
    "Starfield Services Root Certificate Authority - G2",
];

#[test]
fn the_embedded_roots_are_trusted_by_mozilla() {
    let pem = str::from_utf8(aws::config::AMAZON_ROOTS).unwrap();
    let sections: Vec<&str> = pem.split("-----END CERTIFICATE-----").map(str::trim).collect();
    assert_eq!(sections.len(), NAMES.len() + 1);
    for (name, section) in NAMES.iter().zip(sections) {
        let (title, certificate) = section.split_once("-----BEGIN CERTIFICATE-----").unwrap();
        assert_eq!(title.trim(), *name);
        let der = BASE64.decode(certificate.replace('\n', "").as_bytes()).unwrap();
        let holds_name = |der: &[u8]| der.windows(name.len()).any(|window| window == name.as_bytes());
        let trusted: Vec<_> =
            webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().filter(|known| holds_name(known)).collect();
        assert_eq!(trusted.len(), 1, "{name} is in Mozilla's program once");
        assert!(trusted[0].as_ref() == der, "{name} is the certificate of Mozilla's program");
    }
}
