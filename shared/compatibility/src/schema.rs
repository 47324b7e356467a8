//! What differs between two JSON Schemas, and whom that breaks.
//!
//! A difference either narrows what fits a schema or widens it. Whoever writes by the old schema is broken by what is
//! narrower, whoever reads by the old schema by what is wider; who does which is the [`Use`]. It compares descriptions
//! keyword by keyword, so it is strict: two schemas that mean the same and say it in other words differ.

use crate::Finding;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Who writes and who reads what a schema describes, while the old version and the new one are both about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Clients of the old version write it, and we read it: the input of the public API.
    Asked,
    /// We write it, and clients of the old version read it: an answer of the public API.
    Answered,
    /// Either version writes it and either reads it: facts, and answers among services.
    Exchanged,
    /// The same, but a field that the reader does not know makes the writer wait until the deployment has reached the
    /// reader (contract::Context::call): inputs among services.
    Ordered,
}

impl Use {
    /// Whether the old version still writes it.
    fn old_writes(self) -> bool {
        self != Use::Answered
    }

    /// Whether the old version still reads it.
    fn old_reads(self) -> bool {
        self != Use::Asked
    }
}

/// Keywords that are for people.
const ANNOTATIONS: &[&str] =
    &["description", "title", "examples", "$schema", "$id", "$defs", "$comment", "deprecated"];
/// Keywords that are compared by their meaning; all others must stay as they are.
const UNDERSTOOD: &[&str] = &["properties", "required", "additionalProperties", "items"];
/// The most that something may be: lowering it narrows.
const UPPER: &[&str] = &["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"];
/// The least that something may be: raising it narrows.
const LOWER: &[&str] = &["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"];

/// A schema and the document that its references point into.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The whole document.
    pub document: &'a Value,
    /// The schema in it.
    pub schema: &'a Value,
}

/// Compares two schemas.
pub fn compare(subject: &str, at: &str, was: Side<'_>, is: Side<'_>, used: Use) -> Vec<Finding> {
    let mut comparison = Comparison {
        subject,
        was: was.document,
        is: is.document,
        used,
        seen: BTreeSet::new(),
        found: Vec::new(),
    };
    comparison.schemas(at, was.schema, is.schema);
    comparison.found
}

struct Comparison<'a> {
    subject: &'a str,
    was: &'a Value,
    is: &'a Value,
    used: Use,
    seen: BTreeSet<(String, String)>,
    found: Vec<Finding>,
}

impl Comparison<'_> {
    fn schemas(&mut self, at: &str, was: &Value, is: &Value) {
        if let (Some(was), Some(is)) = (reference(was), reference(is))
            && !self.seen.insert((was.to_owned(), is.to_owned()))
        {
            return;
        }
        let (mut was, mut is) = (shapes(self.was, was), shapes(self.is, is));
        if let ([was], [is]) = (was.as_slice(), is.as_slice()) {
            return match was.name == is.name {
                true => self.shape(at, &was.keywords, &is.keywords),
                false => self.breaks(at, &format!("was {} and is {}", was.name, is.name)),
            };
        }
        let named = |shapes: &mut Vec<Shape>| -> BTreeMap<String, Map<String, Value>> {
            if let [only] = shapes.as_mut_slice() {
                only.name = name(&only.keywords);
            }
            shapes.drain(..).map(|shape| (shape.name, shape.keywords)).collect()
        };
        let (was, is) = (named(&mut was), named(&mut is));
        for (name, keywords) in &was {
            match is.get(name) {
                Some(now) => self.shape(&format!("{at}({name})"), keywords, now),
                None => self.narrower(at, &format!("cannot be {name} any more")),
            }
        }
        for name in is.keys().filter(|name| !was.contains_key(*name)) {
            self.wider(at, &format!("can be {name}, which nobody knew"));
        }
    }

    /// Two schemas without alternatives.
    fn shape(&mut self, at: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        let keywords: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for keyword in keywords {
            let keyword = keyword.as_str();
            if ANNOTATIONS.contains(&keyword) || UNDERSTOOD.contains(&keyword) {
                continue;
            }
            self.keyword(at, keyword, was.get(keyword), is.get(keyword));
        }
        self.items(at, was, is);
        self.fields(at, was, is);
    }

    fn keyword(&mut self, at: &str, keyword: &str, was: Option<&Value>, is: Option<&Value>) {
        match (was, is) {
            (Some(was), Some(is)) if was == is => {}
            (Some(was), Some(is)) => {
                let grows = was.as_f64().partial_cmp(&is.as_f64()).is_some_and(std::cmp::Ordering::is_lt);
                let what = format!("{keyword} was {was} and is {is}");
                match (UPPER.contains(&keyword), LOWER.contains(&keyword)) {
                    (true, _) if grows => self.wider(at, &what),
                    (true, _) => self.narrower(at, &what),
                    (_, true) if grows => self.narrower(at, &what),
                    (_, true) => self.wider(at, &what),
                    _ => self.breaks(at, &what),
                }
            }
            (Some(was), None) => self.wider(at, &format!("{keyword} was {was} and is free")),
            (None, Some(is)) => self.narrower(at, &format!("{keyword} was free and is {is}")),
            (None, None) => {}
        }
    }

    fn items(&mut self, at: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        match (was.get("items"), is.get("items")) {
            (Some(was), Some(is)) => self.schemas(&format!("{at}[]"), was, is),
            (was, is) => self.keyword(at, "items", was, is),
        }
    }

    fn fields(&mut self, at: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        let (old, new) = (properties(was), properties(is));
        let (needed, needs) = (required(was), required(is));
        for (name, schema) in &old {
            let at = format!("{at}/{name}");
            match new.get(name) {
                Some(now) => self.schemas(&at, schema, now),
                None => {
                    self.breaks(&at, "is gone");
                    continue;
                }
            }
            match (needed.contains(name), needs.contains(name)) {
                (false, true) => self.narrower(&at, "must be given now"),
                (true, false) => self.wider(&at, "may be missing now"),
                _ => {}
            }
        }
        for name in new.keys().filter(|name| !old.contains_key(*name)) {
            let at = format!("{at}/{name}");
            if needs.contains(name) && self.used.old_writes() {
                self.breaks(&at, "is new and must be given");
            } else if is_closed(was) && self.used.old_reads() && self.used != Use::Ordered {
                self.breaks(&at, "is new where the old version takes no further field");
            } else {
                self.found.push(Finding::grows(self.subject, format!("{at} is new")));
            }
        }
        match (is_closed(was), is_closed(is)) {
            (false, true) => self.narrower(at, "takes no further fields now"),
            // An old reader meets no field that it does not know before one is added, which is found then.
            (true, false) => {
                self.found.push(Finding::grows(self.subject, format!("{at} takes further fields")))
            }
            _ => self.values(at, was, is),
        }
    }

    /// The values of a map, whose keys are free.
    fn values(&mut self, at: &str, was: &Map<String, Value>, is: &Map<String, Value>) {
        let schema = |of: &Map<String, Value>| {
            of.get("additionalProperties").filter(|value| value.is_object()).cloned()
        };
        match (schema(was), schema(is)) {
            (Some(was), Some(is)) => self.schemas(&format!("{at}/*"), &was, &is),
            (was, is) => self.keyword(at, "additionalProperties", was.as_ref(), is.as_ref()),
        }
    }

    fn narrower(&mut self, at: &str, what: &str) {
        self.note(at, what, self.used.old_writes());
    }

    fn wider(&mut self, at: &str, what: &str) {
        self.note(at, what, self.used.old_reads());
    }

    fn breaks(&mut self, at: &str, what: &str) {
        self.note(at, what, true);
    }

    fn note(&mut self, at: &str, what: &str, breaks: bool) {
        let what = format!("{at} {what}");
        let found =
            if breaks { Finding::breaks(self.subject, what) } else { Finding::grows(self.subject, what) };
        self.found.push(found);
    }
}

/// One of the shapes that a value may have, and what the report calls it.
struct Shape {
    name: String,
    keywords: Map<String, Value>,
}

/// The shapes of a schema: its alternatives, or itself.
fn shapes(document: &Value, schema: &Value) -> Vec<Shape> {
    let mut shapes = Vec::new();
    collect(document, schema, 0, &mut shapes);
    // What stands alone need not be told apart.
    if let [only] = shapes.as_mut_slice() {
        only.name = kind(&only.keywords).to_owned();
    }
    let mut names = BTreeSet::new();
    for shape in &mut shapes {
        while !names.insert(shape.name.clone()) {
            shape.name.push('\'');
        }
    }
    shapes
}

fn collect(document: &Value, schema: &Value, depth: u8, shapes: &mut Vec<Shape>) {
    let keywords = resolved(document, schema, depth);
    let list = |keyword: &str| keywords.get(keyword).and_then(Value::as_array).cloned();
    if let Some(choices) = list("oneOf").or_else(|| list("anyOf"))
        && depth < MOST_NESTED
    {
        return choices.iter().for_each(|choice| collect(document, choice, depth.saturating_add(1), shapes));
    }
    let with = |keyword: &str, value: Value| {
        let mut keywords = keywords.clone();
        keywords.remove("enum");
        keywords.insert(keyword.to_owned(), value);
        Shape { name: name(&keywords), keywords }
    };
    if let Some(values) = list("enum") {
        return shapes.extend(values.into_iter().map(|value| with("const", value)));
    }
    if let Some(types) = list("type") {
        return shapes.extend(types.into_iter().map(|kind| with("type", kind)));
    }
    shapes.push(Shape { name: name(&keywords), keywords });
}

/// Choices within choices, and references to references, end somewhere.
const MOST_NESTED: u8 = 16;

/// The schema with its references followed; what stands beside a reference holds as well.
fn resolved(document: &Value, schema: &Value, depth: u8) -> Map<String, Value> {
    let mut keywords = schema.as_object().cloned().unwrap_or_default();
    let target = reference(schema).and_then(|target| document.pointer(target));
    if let (Some(target), true) = (target, depth < MOST_NESTED) {
        keywords.remove("$ref");
        let mut whole = resolved(document, target, depth.saturating_add(1));
        whole.extend(keywords);
        return whole;
    }
    keywords
}

fn reference(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'))
}

/// A constant, an object by its tag, or a type.
fn name(keywords: &Map<String, Value>) -> String {
    if let Some(value) = keywords.get("const") {
        return value.to_string();
    }
    let tag = properties(keywords)
        .into_iter()
        .find_map(|(name, schema)| schema.get("const").map(|value| format!("{name} {value}")));
    tag.unwrap_or_else(|| match kind(keywords) {
        "object" if required(keywords).len() == 1 && is_closed(keywords) => {
            format!("{{{}}}", required(keywords).into_iter().collect::<Vec<_>>().join(", "))
        }
        kind => kind.to_owned(),
    })
}

fn kind(keywords: &Map<String, Value>) -> &str {
    keywords.get("type").and_then(Value::as_str).unwrap_or("anything")
}

fn properties(keywords: &Map<String, Value>) -> BTreeMap<String, Value> {
    let properties = keywords.get("properties").and_then(Value::as_object);
    properties.cloned().unwrap_or_default().into_iter().collect()
}

fn required(keywords: &Map<String, Value>) -> BTreeSet<String> {
    let names = keywords.get("required").and_then(Value::as_array).into_iter().flatten();
    names.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn is_closed(keywords: &Map<String, Value>) -> bool {
    keywords.get("additionalProperties") == Some(&Value::Bool(false))
}
