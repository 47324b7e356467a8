//! The region of an address: one of the seventeen provinces and cities of Korea (시도).
//!
//! Korean addresses begin with it and English ones end with it. Only whole words count, so that 세종대로 and
//! Sejong-daero are streets; a province wins over a city, because 경기도 광주시 is in Gyeonggi and not in Gwangju.

use kernel::Region;

/// A region, whether it is a province, and how addresses spell it (in lower case).
struct Spelling {
    region: Region,
    province: bool,
    words: &'static [&'static str],
}

const fn city(region: Region, words: &'static [&'static str]) -> Spelling {
    Spelling { region, province: false, words }
}

const fn province(region: Region, words: &'static [&'static str]) -> Spelling {
    Spelling { region, province: true, words }
}

const REGIONS: &[Spelling] = &[
    city(Region::Seoul, &["서울", "서울시", "서울특별시", "seoul", "seoul-si", "seoul-teukbyeolsi"]),
    city(Region::Busan, &["부산", "부산시", "부산광역시", "busan", "pusan", "busan-si", "busan-gwangyeoksi"]),
    city(Region::Daegu, &["대구", "대구시", "대구광역시", "daegu", "taegu", "daegu-si", "daegu-gwangyeoksi"]),
    city(
        Region::Incheon,
        &["인천", "인천시", "인천광역시", "incheon", "inchon", "incheon-si", "incheon-gwangyeoksi"],
    ),
    city(
        Region::Gwangju,
        &["광주", "광주시", "광주광역시", "gwangju", "kwangju", "gwangju-si", "gwangju-gwangyeoksi"],
    ),
    city(
        Region::Daejeon,
        &["대전", "대전시", "대전광역시", "daejeon", "taejon", "daejeon-si", "daejeon-gwangyeoksi"],
    ),
    city(Region::Ulsan, &["울산", "울산시", "울산광역시", "ulsan", "ulsan-si", "ulsan-gwangyeoksi"]),
    city(Region::Sejong, &["세종", "세종시", "세종특별자치시", "sejong", "sejong-si", "sejong city"]),
    province(Region::Gyeonggi, &["경기", "경기도", "gyeonggi", "gyeonggi-do", "kyonggi-do"]),
    province(Region::Gangwon, &["강원", "강원도", "강원특별자치도", "gangwon", "gangwon-do", "kangwon-do"]),
    province(Region::Chungbuk, &["충북", "충청북도", "chungbuk", "chungcheongbuk-do", "north chungcheong"]),
    province(Region::Chungnam, &["충남", "충청남도", "chungnam", "chungcheongnam-do", "south chungcheong"]),
    province(
        Region::Jeonbuk,
        &["전북", "전라북도", "전북특별자치도", "jeonbuk", "jeollabuk-do", "north jeolla"],
    ),
    province(Region::Jeonnam, &["전남", "전라남도", "jeonnam", "jeollanam-do", "south jeolla"]),
    province(Region::Gyeongbuk, &["경북", "경상북도", "gyeongbuk", "gyeongsangbuk-do", "north gyeongsang"]),
    province(Region::Gyeongnam, &["경남", "경상남도", "gyeongnam", "gyeongsangnam-do", "south gyeongsang"]),
    province(
        Region::Jeju,
        &["제주", "제주시", "제주도", "제주특별자치도", "jeju", "jeju-si", "jeju-do", "cheju"],
    ),
];

/// The region that an address names, if it names one.
pub fn of(address: &str) -> Option<&'static str> {
    let lower = address.to_lowercase();
    let words: Vec<&str> = lower
        .split(|character: char| !character.is_alphanumeric() && character != '-')
        .filter(|word| !word.is_empty())
        .collect();
    let mut named: Vec<(usize, &Spelling)> = REGIONS
        .iter()
        .flat_map(|region| region.words.iter().map(move |spelling| (region, *spelling)))
        .flat_map(|(region, spelling)| places(&words, spelling).map(move |place| (place, region)))
        .collect();
    named.sort_by_key(|(place, _)| *place);
    let is_korean = lower.chars().any(|character| ('가'..='힣').contains(&character));
    let provinces = || named.iter().filter(|(_, region)| region.province);
    let chosen = if is_korean {
        provinces().next().or(named.first())
    } else {
        provinces().next_back().or(named.last())
    };
    chosen.map(|(_, spelling)| spelling.region.code())
}

/// Where the words of a spelling stand in the address.
fn places(words: &[&str], spelling: &'static str) -> impl Iterator<Item = usize> {
    let wanted: Vec<&str> = spelling.split(' ').collect();
    let found: Vec<usize> = words
        .windows(wanted.len())
        .enumerate()
        .filter(|(_, window)| *window == wanted.as_slice())
        .map(|(place, _)| place)
        .collect();
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn addresses_are_put_where_they_are() {
        let cases = [
            ("서울특별시 중구 세종대로 110", Some("seoul")),
            ("서울 강남구 테헤란로 1, 5층", Some("seoul")),
            ("(48058) 부산광역시 해운대구 센텀남대로 35", Some("busan")),
            ("대한민국 경기도 광주시 행정타운로 50", Some("gyeonggi")),
            ("광주광역시 서구 내방로 111", Some("gwangju")),
            ("강원특별자치도 춘천시 중앙로 1", Some("gangwon")),
            ("세종특별자치시 한누리대로 2130", Some("sejong")),
            ("제주특별자치도 제주시 문연로 6", Some("jeju")),
            ("110 Sejong-daero, Jung-gu, Seoul 04524, Korea", Some("seoul")),
            ("Seoul Building 3F, 35 Centum nam-daero, Busan", Some("busan")),
            ("50 Haengjeongtaun-ro, Gwangju-si, Gyeonggi-do", Some("gyeonggi")),
            ("1 Sangdang-ro, Cheongju, North Chungcheong Province", Some("chungbuk")),
            ("JEJU-DO, Seogwipo-si 1", Some("jeju")),
            ("세종대로 110", None),
            ("서울특별시중구", None),
            ("1600 Amphitheatre Parkway, Mountain View, CA", None),
            ("", None),
        ];
        for (address, region) in cases {
            assert_eq!(of(address), region, "{address}");
        }
    }

    #[test]
    fn every_spelling_leads_to_its_region_and_to_no_other() {
        let mut seen = BTreeSet::new();
        for region in REGIONS {
            for spelling in region.words {
                assert_eq!(of(spelling), Some(region.region.code()), "{spelling}");
                assert!(seen.insert(*spelling), "{spelling} is given twice");
            }
        }
        assert_eq!(REGIONS.len(), 17);
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in ".{0,200}") {
            let _ = of(&text);
        }
    }
}
