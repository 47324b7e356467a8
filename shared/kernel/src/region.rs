//! The seventeen provinces and cities of Korea (시도), by which Pay sums money up.
//!
//! Membership derives a member's region from the address; facts carry its code; the read model answers by it. The
//! list is here because all three must mean the same.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A province or city. Its code, such as `seoul`, is what facts, paths and answers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    /// 서울특별시
    Seoul,
    /// 부산광역시
    Busan,
    /// 대구광역시
    Daegu,
    /// 인천광역시
    Incheon,
    /// 광주광역시
    Gwangju,
    /// 대전광역시
    Daejeon,
    /// 울산광역시
    Ulsan,
    /// 세종특별자치시
    Sejong,
    /// 경기도
    Gyeonggi,
    /// 강원특별자치도
    Gangwon,
    /// 충청북도
    Chungbuk,
    /// 충청남도
    Chungnam,
    /// 전북특별자치도
    Jeonbuk,
    /// 전라남도
    Jeonnam,
    /// 경상북도
    Gyeongbuk,
    /// 경상남도
    Gyeongnam,
    /// 제주특별자치도
    Jeju,
}

impl Region {
    /// Every region.
    pub const ALL: [Region; 17] = [
        Region::Seoul,
        Region::Busan,
        Region::Daegu,
        Region::Incheon,
        Region::Gwangju,
        Region::Daejeon,
        Region::Ulsan,
        Region::Sejong,
        Region::Gyeonggi,
        Region::Gangwon,
        Region::Chungbuk,
        Region::Chungnam,
        Region::Jeonbuk,
        Region::Jeonnam,
        Region::Gyeongbuk,
        Region::Gyeongnam,
        Region::Jeju,
    ];

    /// Its code.
    pub const fn code(self) -> &'static str {
        match self {
            Region::Seoul => "seoul",
            Region::Busan => "busan",
            Region::Daegu => "daegu",
            Region::Incheon => "incheon",
            Region::Gwangju => "gwangju",
            Region::Daejeon => "daejeon",
            Region::Ulsan => "ulsan",
            Region::Sejong => "sejong",
            Region::Gyeonggi => "gyeonggi",
            Region::Gangwon => "gangwon",
            Region::Chungbuk => "chungbuk",
            Region::Chungnam => "chungnam",
            Region::Jeonbuk => "jeonbuk",
            Region::Jeonnam => "jeonnam",
            Region::Gyeongbuk => "gyeongbuk",
            Region::Gyeongnam => "gyeongnam",
            Region::Jeju => "jeju",
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_written_by_its_code_everywhere() {
        for region in Region::ALL {
            let text = serde_json::to_string(&region).unwrap();
            assert_eq!(text, format!("\"{}\"", region.code()));
            assert_eq!(serde_json::from_str::<Region>(&text).unwrap(), region);
            assert_eq!(region.to_string(), region.code());
        }
        assert!(serde_json::from_str::<Region>("\"Seoul\"").is_err());
        assert!(serde_json::from_str::<Region>("\"unknown\"").is_err());
    }
}
