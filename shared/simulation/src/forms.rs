//! The forms in which items are stored, kept in events/items for later versions to read.
//!
//! Histories write items in every state of their sagas. An item is kept as a new form of its kind if it shows something
//! that no kept form shows: an attribute, a value that is a word of the sources (a state, for instance), or the lack of
//! an attribute. A form that is kept is never changed: a table may hold such an item for ever.
//! shared/xtask/tests/items.rs reads them all.

use crate::{
    faults::Plan,
    history::{self, Plot},
    hunt::STEPS,
    scripts::{self, SCRIPTS},
    world::lock,
};
use anyhow::Context as _;
use contract::items;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    sync::{Mutex, OnceLock},
};
use store::{Item, kind_of};

/// A service and a kind of its records.
type Place = (String, String);

/// Forms by place.
#[derive(Default)]
struct Forms {
    kept: BTreeMap<Place, Vec<Value>>,
    shown: BTreeMap<Place, BTreeSet<String>>,
    new: u64,
}

/// Only while forms are collected; a history that nobody collects from pays nothing.
static COLLECTED: OnceLock<Mutex<Forms>> = OnceLock::new();

/// An item was written.
pub fn seen(service: &str, item: &Item) {
    if let Some(forms) = COLLECTED.get() {
        let place = (service.to_owned(), kind_of(item).to_owned());
        lock(forms).take(place, items::to_json(item), true);
    }
}

/// Plays the scripts and so many histories, and adds what is new to the folder. Answers how many forms are new.
pub fn keep(folder: &Path, histories: u64) -> anyhow::Result<u64> {
    let forms = COLLECTED.get_or_init(Mutex::default);
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
        let (service, kind) = name.split_once('.').with_context(|| format!("{name} is no service.kind"))?;
        let known: Vec<Value> = serde_json::from_str(&fs::read_to_string(&path)?)?;
        for form in known {
            lock(forms).take((service.to_owned(), kind.to_owned()), form, false);
        }
    }
    let scripted = SCRIPTS.iter().map(scripts::plot);
    for plot in scripted.chain((1..=histories).map(|seed| Plot::of_seed(seed, STEPS))) {
        // One version, and no clock that is wrong: what is kept is what this version writes.
        let plan = if plot.seed % 2 == 0 { Plan::Never } else { plot.plan.clone() };
        history::run(&Plot { are_versions_mixed: false, plan, ..plot }, false);
    }
    fs::create_dir_all(folder)?;
    let forms = lock(forms);
    for ((service, kind), kept) in &forms.kept {
        let mut kept = Value::Array(kept.clone());
        kept.sort_all_objects();
        fs::write(folder.join(format!("{service}.{kind}.json")), format!("{kept:#}\n"))?;
    }
    Ok(forms.new)
}

impl Forms {
    fn take(&mut self, place: Place, form: Value, is_new: bool) {
        let mut shows = BTreeSet::new();
        look(&form, "", &mut shows);
        let shown = self.shown.entry(place.clone()).or_default();
        // The first form of a kind has all its attributes; what a later one lacks of them is a form of its own.
        let known = shown.iter().filter(|what| !what.contains(['=', '-']));
        let lacking: Vec<_> =
            known.filter(|what| !shows.contains(*what)).map(|what| format!("-{what}")).collect();
        shows.extend(lacking);
        if !shows.is_subset(shown) || !is_new {
            shown.extend(shows);
            self.kept.entry(place).or_default().push(form);
            self.new += u64::from(is_new);
        }
    }
}

/// What an attribute shows: its path and type, and a word that stands for itself.
fn look(value: &Value, path: &str, shows: &mut BTreeSet<String>) {
    for (name, attribute) in value.as_object().into_iter().flatten() {
        let Some((kind, inner)) = attribute.as_object().and_then(|object| object.iter().next()) else {
            continue;
        };
        let at = format!("{path}/{name}:{kind}");
        if let Some(text) = inner.as_str().filter(|text| kind == "S" && is_word(text)) {
            shows.insert(format!("{at}={text}"));
        }
        look(inner, &at, shows);
        for element in inner.as_array().into_iter().flatten() {
            look(&serde_json::json!({ "*": element }), &at, shows);
        }
        shows.insert(at);
    }
}

/// Whether a text is the name of something in the sources, as enum variants are: letters only, and short.
fn is_word(text: &str) -> bool {
    (1..=30).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}
