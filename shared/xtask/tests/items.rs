//! What any released version has stored can be read, and loses nothing when it is written again.
//!
//! events/items holds each kind of item in every form that histories of the simulator have written; `cargo run -p
//! simulation -- items` adds new ones. A form stays for ever, because tables keep items for ever: reading it proves
//! that a new field is optional, and writing it again that nothing is left out which an older version still reads.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it is surprised")]

use contract::items;
use serde_json::Value;
use std::{collections::BTreeSet, fs};
use store::Item;
use xtask::{SERVICES, root};

fn forms(service: &str, kind: &str) -> Vec<Item> {
    let name = format!("events/items/{service}.{kind}.json");
    let text = fs::read_to_string(root().join(&name)).unwrap_or_else(|_| {
        panic!("{name} is missing: make items, with a script or an action of the simulation that writes one")
    });
    let forms: Vec<Value> = serde_json::from_str(&text).unwrap();
    forms.iter().map(|form| items::from_json(form).unwrap()).collect()
}

#[test]
fn every_form_that_was_ever_stored_is_read_and_written_whole() {
    for service in SERVICES {
        for kind in service.records {
            for form in forms(service.name, kind.name) {
                let written = (kind.rewritten)(form.clone())
                    .unwrap_or_else(|error| panic!("{}: a stored form is not read: {error}", service.name));
                let lost = form.iter().filter(|(name, value)| written.get(name.as_str()) != Some(value));
                let lost: Vec<_> = lost.map(|(name, _)| name).collect();
                assert!(lost.is_empty(), "{}.{} loses {lost:?} of {form:?}", service.name, kind.name);
            }
        }
    }
}

/// A later version may have added an attribute, and was then taken back.
#[test]
fn every_form_is_read_with_an_attribute_that_nobody_knows() {
    for service in SERVICES {
        for kind in service.records {
            for mut form in forms(service.name, kind.name) {
                form.insert("addedLater".to_owned(), store::AttributeValue::N("1".to_owned()));
                assert!((kind.rewritten)(form).is_ok(), "{}.{}", service.name, kind.name);
            }
        }
    }
}

#[test]
fn every_record_of_the_sources_is_a_kind_of_its_service_and_every_file_is_one() {
    let kinds: BTreeSet<String> = SERVICES
        .iter()
        .flat_map(|service| service.records.iter().map(|kind| format!("{}.{}", service.name, kind.name)))
        .collect();
    for service in SERVICES {
        let folder = root().join(format!("functions/{}/src", service.name));
        let mut sources = Vec::new();
        read_all(&folder, &mut sources);
        let declared: usize =
            sources.iter().map(|source| source.matches("const KIND: &'static str").count()).sum();
        let is_shared = |kind: &&store::Kind| ["formerMember", "sweep"].contains(&kind.name);
        let shared = service.records.iter().filter(is_shared).count();
        assert_eq!(
            declared,
            service.records.len() - shared,
            "items::RECORDS of {} is not complete",
            service.name
        );
    }
    let files = fs::read_dir(root().join("events/items")).unwrap();
    let files = files.map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    assert_eq!(files.collect::<BTreeSet<_>>(), kinds);
}

fn read_all(folder: &std::path::Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, sources);
        } else {
            sources.push(fs::read_to_string(path).unwrap());
        }
    }
}
