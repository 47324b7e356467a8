//! Moments in UTC milliseconds, and the business days of Seoul.
//!
//! On the wire a moment is RFC 3339 in UTC with milliseconds; in a table it is the same text, which sorts as time
//! does. Seoul has kept UTC+9 without daylight saving since 1988 (IANA tz database, Asia/Seoul).

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::{borrow::Cow, fmt, str::FromStr};
use time::{
    Date, OffsetDateTime, UtcOffset,
    format_description::{StaticFormatDescription, well_known::Rfc3339},
    macros::{format_description, offset},
};

const SEOUL: UtcOffset = offset!(+9);
const WIRE: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
const DAY: StaticFormatDescription = format_description!("[year]-[month]-[day]");
/// A business day ends, and the next one begins, this long before midnight in Seoul: at 23:30.
const CUT_BEFORE_MIDNIGHT_SECONDS: i64 = 30 * 60;

/// A moment in milliseconds since 1970-01-01T00:00:00Z, from year 1970 to 9999.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// A text that is not a moment between the years 1970 and 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time in RFC 3339, such as 2026-11-22T10:15:30Z, between 1970 and 9999")]
pub struct NotATime;

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// 9999-12-31T23:59:59.999Z, the last moment that RFC 3339 can write.
    pub const END: Timestamp = Timestamp(253_402_300_799_999);

    /// The moment that many milliseconds after 1970, held within [`Timestamp::EPOCH`] and [`Timestamp::END`].
    pub fn from_millis(millis: i64) -> Timestamp {
        Timestamp(millis.clamp(Timestamp::EPOCH.0, Timestamp::END.0))
    }

    /// Milliseconds since 1970.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, as DynamoDB's time to live and JWT's claims count.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The moment so many seconds later, or earlier if negative; stays within the range.
    pub fn plus_seconds(self, seconds: i64) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Milliseconds from `earlier` to this moment; negative if it is later.
    pub const fn millis_since(self, earlier: Timestamp) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The calendar day in Seoul.
    pub fn seoul_day(self) -> SeoulDay {
        // In Seoul the last hours of the last year belong to a year that has no four digits.
        let text = self.utc().checked_to_offset(SEOUL).and_then(|moment| moment.format(DAY).ok());
        SeoulDay(text.unwrap_or_else(|| "9999-12-31".to_owned()))
    }

    /// The business day that this moment is in: it lasts from 23:30 of the day before to 23:30 of the day, in Seoul.
    pub fn business_day(self) -> SeoulDay {
        self.plus_seconds(CUT_BEFORE_MIDNIGHT_SECONDS).seoul_day()
    }

    fn utc(self) -> OffsetDateTime {
        let nanos = i128::from(self.0).saturating_mul(1_000_000);
        OffsetDateTime::from_unix_timestamp_nanos(nanos).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.utc().format(WIRE).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Timestamp {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Timestamp, NotATime> {
        let moment = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| NotATime)?;
        let millis =
            i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000_000)).map_err(|_| NotATime)?;
        let known = Timestamp::EPOCH.0..=Timestamp::END.0;
        if known.contains(&millis) { Ok(Timestamp(millis)) } else { Err(NotATime) }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time", "description": "RFC 3339, UTC", "examples": ["2026-11-22T10:15:30.123Z"] })
    }
}

/// A calendar day in Seoul, written `2026-11-22`. Limits and settlements count by it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SeoulDay(String);

/// A text that is not a day between the years 1970 and 9999.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a day such as 2026-11-22, between 1970 and 9999")]
pub struct NotADay;

impl SeoulDay {
    /// The day as text, `2026-11-22`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The month as text, `2026-11`.
    pub fn month(&self) -> &str {
        self.0.rsplit_once('-').map_or(&self.0, |(month, _)| month)
    }

    /// The day so many days later, or earlier if negative; stays within the years 1970 to 9999.
    pub fn plus_days(&self, days: i64) -> SeoulDay {
        let seconds = self.midnight_seconds().saturating_add(days.saturating_mul(86_400));
        Timestamp::EPOCH.plus_seconds(seconds).seoul_day()
    }

    /// How many days this day comes after another one; negative if it comes before.
    pub fn days_since(&self, earlier: &SeoulDay) -> i64 {
        self.midnight_seconds().saturating_sub(earlier.midnight_seconds()).div_euclid(86_400)
    }

    /// The seconds from 1970 to the moment at which this day begins in Seoul.
    fn midnight_seconds(&self) -> i64 {
        let midnight = Date::parse(&self.0, DAY).map(|day| day.midnight().assume_offset(SEOUL));
        // The text was a day when it was read.
        midnight.map_or(0, OffsetDateTime::unix_timestamp)
    }

    /// The moment at which this day begins as a business day: 23:30 of the day before, in Seoul.
    pub fn business_opens_at(&self) -> Timestamp {
        let seconds = self.midnight_seconds();
        Timestamp::EPOCH.plus_seconds(seconds.saturating_sub(CUT_BEFORE_MIDNIGHT_SECONDS))
    }
}

impl FromStr for SeoulDay {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<SeoulDay, NotADay> {
        let day =
            Date::parse(text, DAY).ok().filter(|day| (1970..=9999).contains(&day.year())).ok_or(NotADay)?;
        // The parser also takes a sign before the year; one day has one spelling.
        let spelling = day.format(DAY).map_err(|_| NotADay)?;
        if spelling == text { Ok(SeoulDay(spelling)) } else { Err(NotADay) }
    }
}

impl<'de> Deserialize<'de> for SeoulDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SeoulDay, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for SeoulDay {
    fn schema_name() -> Cow<'static, str> {
        "SeoulDay".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date", "description": "A day in Seoul", "examples": ["2026-11-22"] })
    }
}

impl fmt::Display for SeoulDay {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn moments_round_trip_and_sort_as_text(a in 0..=Timestamp::END.0, b in 0..=Timestamp::END.0) {
            let (a, b) = (Timestamp(a), Timestamp(b));
            prop_assert_eq!(a.to_string().parse(), Ok(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }

        /// The last business day ends after the last moment that can be written.
        #[test]
        fn every_moment_is_within_its_business_day(millis in 0..Timestamp::END.plus_seconds(-86_400).0) {
            let moment = Timestamp(millis);
            let day = moment.business_day();
            prop_assert!(day.business_opens_at() <= moment);
            let next = moment.plus_seconds(86_400).business_day();
            prop_assert!(day < next && moment < next.business_opens_at());
            prop_assert_eq!(day.as_str().parse(), Ok(day));
        }
    }

    #[test]
    fn a_business_day_begins_half_an_hour_before_midnight_in_seoul() {
        let day: SeoulDay = "2026-11-23".parse().unwrap();
        let opens: Timestamp = "2026-11-22T23:30:00+09:00".parse().unwrap();
        assert_eq!(day.business_opens_at(), opens);
        assert_eq!(opens.business_day(), day);
        assert_eq!(Timestamp::from_millis(opens.millis() - 1).business_day().as_str(), "2026-11-22");
    }

    #[test]
    fn moments_are_counted_and_written_to_the_millisecond() {
        let moment: Timestamp = "1970-01-01T00:00:02.999Z".parse().unwrap();
        assert_eq!((moment.millis(), moment.seconds()), (2_999, 2));
        assert_eq!(moment.plus_seconds(2).millis_since(moment), 2_000);
        assert_eq!(moment.millis_since(moment.plus_seconds(2)), -2_000);
        assert_eq!(moment.plus_seconds(-5), Timestamp::EPOCH);
        assert_eq!(serde_json::to_string(&moment).unwrap(), r#""1970-01-01T00:00:02.999Z""#);
        assert_eq!(serde_json::from_str::<Timestamp>(r#""1970-01-01T00:00:02.999Z""#).unwrap(), moment);
        assert!(serde_json::from_str::<Timestamp>(r#""1970-01-01""#).is_err());
    }

    #[test]
    fn only_the_one_spelling_of_a_day_is_read() {
        for bad in [
            "",
            "2026-11-22T00:00:00Z",
            "2026-11-31",
            "2026-2-01",
            "+2026-11-22",
            " 2026-11-22",
            "1969-12-31",
        ] {
            assert_eq!(bad.parse::<SeoulDay>(), Err(NotADay), "{bad}");
        }
        assert_eq!(serde_json::from_str::<SeoulDay>(r#""2026-11-22""#).unwrap().month(), "2026-11");
    }

    #[test]
    fn the_day_changes_at_midnight_in_seoul() {
        let before: Timestamp = "2026-11-22T14:59:59.999Z".parse().unwrap();
        assert_eq!(before.seoul_day().as_str(), "2026-11-22");
        let after = Timestamp::from_millis(before.millis() + 1);
        assert_eq!(after.seoul_day().as_str(), "2026-11-23");
        assert_eq!(after.seoul_day().month(), "2026-11");
    }

    #[test]
    fn days_are_counted_across_months_and_leap_years() {
        let day = |text: &str| text.parse::<SeoulDay>().unwrap();
        assert_eq!(day("2028-02-28").plus_days(2), day("2028-03-01"));
        assert_eq!(day("2026-01-01").plus_days(-1), day("2025-12-31"));
        assert_eq!(day("2026-11-22").plus_days(0), day("2026-11-22"));
        assert_eq!(day("1970-01-01").plus_days(-5), day("1970-01-01"));
        assert_eq!(day("9999-12-30").plus_days(5), day("9999-12-31"));
        assert_eq!(Timestamp::END.seoul_day(), day("9999-12-31"));
        assert_eq!(day("2028-03-01").days_since(&day("2028-02-28")), 2);
        assert_eq!(day("2028-02-28").plus_days(2).to_string(), "2028-03-01");
        assert_eq!(day("2025-12-31").days_since(&day("2026-01-01")), -1);
    }

    #[test]
    fn other_offsets_are_read_and_other_texts_refused() {
        assert_eq!("2026-11-22T19:15:30+09:00".parse(), "2026-11-22T10:15:30Z".parse::<Timestamp>());
        for bad in ["", "2026-11-22", "2026-11-22T10:15:30", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z"] {
            assert_eq!(bad.parse::<Timestamp>(), Err(NotATime), "{bad}");
        }
    }
}
