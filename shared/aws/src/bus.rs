//! The bus: EventBridge.
//!
//! An event's `detail` is the whole envelope, so that a consumer sees the same CloudEvent wherever it reads it.
//! `PutEvents` takes some entries of a batch and not others; the places of the others are answered, for the relay to
//! try again.

use async_trait::async_trait;
use aws_sdk_eventbridge::{Client, types::PutEventsRequestEntry};
use aws_types::SdkConfig;
use contract::ports::{Bus, Unanswered};
use events::Envelope;
use std::sync::OnceLock;

/// EventBridge's limit on the entries of one call.
const MOST_ENTRIES: usize = 10;
/// EventBridge's limit on the bytes of one call.
const MOST_BYTES: usize = 256 * 1024;

/// An EventBridge bus.
pub struct EventBridge {
    config: SdkConfig,
    client: OnceLock<Client>,
    bus: String,
}

impl EventBridge {
    /// The bus of this name. Nothing is connected before the first call.
    pub fn new(config: SdkConfig, bus: &str) -> EventBridge {
        EventBridge { config, client: OnceLock::new(), bus: bus.to_owned() }
    }

    /// Sends one batch, and answers the places within it that were not taken.
    async fn put(&self, batch: &[Entry<'_>]) -> Result<Vec<usize>, Unanswered> {
        let entry = |Entry { event, detail, .. }: &Entry<'_>| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.bus)
                .source(&event.source)
                .detail_type(&event.kind)
                .detail(detail)
                .build()
        };
        let answer = self
            .client
            .get_or_init(|| Client::new(&self.config))
            .put_events()
            .set_entries(Some(batch.iter().map(entry).collect()))
            .send()
            .await
            .map_err(|error| Unanswered(crate::config::reason(&error)))?;
        let results = answer.entries();
        let failed = batch.iter().enumerate().filter_map(|(place, entry)| {
            let code = match results.get(place) {
                Some(result) => result.error_code()?,
                None => "no result",
            };
            tracing::warn!(code, fact = entry.event.kind, "an event was not taken by the bus");
            Some(entry.place)
        });
        Ok(failed.collect())
    }
}

#[async_trait]
impl Bus for EventBridge {
    async fn publish(&self, events: &[Envelope]) -> Result<Vec<usize>, Unanswered> {
        let mut failed = Vec::new();
        for batch in batches(events)? {
            failed.extend(self.put(&batch).await?);
        }
        Ok(failed)
    }
}

/// An event, ready to be sent, and its place among all.
struct Entry<'a> {
    place: usize,
    event: &'a Envelope,
    detail: String,
}

impl Entry<'_> {
    /// As EventBridge counts: UTF-8 bytes of source, type and detail.
    fn bytes(&self) -> usize {
        [&self.event.source, &self.event.kind, &self.detail].iter().map(|text| text.len()).sum()
    }
}

/// Cuts events into calls that EventBridge takes.
fn batches(events: &[Envelope]) -> Result<Vec<Vec<Entry<'_>>>, Unanswered> {
    let mut batches: Vec<Vec<Entry<'_>>> = Vec::new();
    let mut bytes = 0_usize;
    for (place, event) in events.iter().enumerate() {
        let detail = serde_json::to_string(event).map_err(|error| Unanswered(error.to_string()))?;
        let entry = Entry { place, event, detail };
        let with_this = bytes.saturating_add(entry.bytes());
        match batches.last_mut().filter(|batch| batch.len() < MOST_ENTRIES && with_this <= MOST_BYTES) {
            Some(batch) => {
                bytes = with_this;
                batch.push(entry);
            }
            None => {
                bytes = entry.bytes();
                batches.push(vec![entry]);
            }
        }
    }
    Ok(batches)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(bytes: usize) -> Envelope {
        let mut event = (events::ALL[0].example)();
        event.data = serde_json::Value::String("x".repeat(bytes));
        event
    }

    fn sizes(events: &[Envelope]) -> Vec<usize> {
        batches(events).unwrap().iter().map(Vec::len).collect()
    }

    #[test]
    fn batches_hold_ten_events_and_256_kilobytes() {
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&vec![event(10); 10]), [10]);
        assert_eq!(sizes(&vec![event(10); 21]), [10, 10, 1]);
        assert_eq!(sizes(&vec![event(100 * 1024); 5]), [2, 2, 1]);
        assert_eq!(sizes(&[event(10), event(300 * 1024), event(10)]), [1, 1, 1]);
    }

    #[test]
    fn places_count_through_all_batches() {
        let events = vec![event(10); 12];
        let places: Vec<usize> =
            batches(&events).unwrap().iter().flatten().map(|entry| entry.place).collect();
        assert_eq!(places, (0..12).collect::<Vec<_>>());
    }
}
