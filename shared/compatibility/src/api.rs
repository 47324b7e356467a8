//! The public API: clients are not deployed with us, so what they send is taken as before, and they get what they know.

use crate::{
    Finding,
    schema::{self, Side, Use},
    tree::Tree,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

const FILE: &str = "infra/terraform/openapi.json";

/// Compares the OpenAPI documents.
pub fn compare(was: &Tree, is: &Tree) -> Vec<Finding> {
    let (was, is) = (was.file(FILE), is.file(FILE));
    let (old, new) = (routes(was), routes(is));
    let mut found = Vec::new();
    for (route, operation) in &old {
        match new.get(route) {
            Some(now) => Route { name: route, was, is, found: &mut found }.compare(operation, now),
            None => found.push(Finding::breaks(route, "is gone")),
        }
    }
    let added = new.keys().filter(|route| !old.contains_key(*route));
    found.extend(added.map(|route| Finding::grows(route, "is new")));
    found
}

/// Every operation by method and path.
fn routes(document: &Value) -> BTreeMap<String, &Value> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let methods = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    });
    methods.collect()
}

struct Route<'a> {
    name: &'a str,
    was: &'a Value,
    is: &'a Value,
    found: &'a mut Vec<Finding>,
}

impl Route<'_> {
    fn compare(mut self, was: &Value, is: &Value) {
        if was["operationId"] != is["operationId"] {
            let what = format!("is called {} and was {}", is["operationId"], was["operationId"]);
            self.breaks(format!("{what}: generated clients have a method of that name"));
        }
        self.parameters(was, is);
        self.body(&was["requestBody"], &is["requestBody"]);
        self.answers(was, is);
        self.scopes(was, is);
    }

    fn parameters(&mut self, was: &Value, is: &Value) {
        let (old, new) = (parameters(was), parameters(is));
        for (name, parameter) in &old {
            let Some(now) = new.get(name) else {
                self.breaks(format!("{name} is gone"));
                continue;
            };
            if parameter["required"] != true && now["required"] == true {
                self.breaks(format!("{name} must be given now"));
            }
            self.schemas(name, &parameter["schema"], &now["schema"], Use::Asked);
        }
        for (name, parameter) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
            match parameter["required"] == true {
                true => self.breaks(format!("{name} is new and must be given")),
                false => self.grows(format!("{name} is new")),
            }
        }
    }

    fn body(&mut self, was: &Value, is: &Value) {
        if was["required"] != true && is["required"] == true {
            self.breaks("a body must be given now");
        }
        self.contents("body", was, is, Use::Asked);
    }

    /// What is said in each media type.
    fn contents(&mut self, at: &str, was: &Value, is: &Value, used: Use) {
        for (media, content) in was["content"].as_object().into_iter().flatten() {
            match is["content"].get(media) {
                Some(now) => self.schemas(at, &content["schema"], &now["schema"], used),
                None => self.breaks(format!("{at} is no {media} any more")),
            }
        }
    }

    fn answers(&mut self, was: &Value, is: &Value) {
        let none = Map::new();
        let [old, new] = [was, is].map(|of| of["responses"].as_object().unwrap_or(&none));
        for (status, answer) in old {
            let Some(now) = new.get(status) else {
                self.breaks(format!("{status} is answered no more"));
                continue;
            };
            if status.starts_with('2') {
                self.contents(status, answer, now, Use::Answered);
            } else {
                let (old, new) = (codes(answer), codes(now));
                old.difference(&new)
                    .for_each(|code| self.breaks(format!("{status} {code} is answered no more")));
                new.difference(&old).for_each(|code| self.grows(format!("{status} {code} is new")));
            }
            let gone = |header: &&String| now["headers"].get(header.as_str()).is_none();
            for header in answer["headers"].as_object().into_iter().flat_map(Map::keys).filter(gone) {
                self.breaks(format!("{status} has no header {header} any more"));
            }
        }
        for status in new.keys().filter(|status| !old.contains_key(*status)) {
            match status.starts_with('2') {
                true => self.breaks(format!("{status} is a success that no client knows")),
                false => self.grows(format!("{status} is new")),
            }
        }
    }

    /// Whoever was let in is let in.
    fn scopes(&mut self, was: &Value, is: &Value) {
        let list = |of: &Value| of["security"].as_array().cloned().unwrap_or_default();
        let (old, new) = (list(was), list(is));
        if old.is_empty() && !new.is_empty() {
            self.breaks("a token is needed now");
        }
        for alternative in old.iter().filter(|alternative| !new.is_empty() && !new.contains(alternative)) {
            self.breaks(format!("{alternative} is not let in any more"));
        }
    }

    fn schemas(&mut self, at: &str, was: &Value, is: &Value, used: Use) {
        let was = Side { document: self.was, schema: was };
        let is = Side { document: self.is, schema: is };
        self.found.extend(schema::compare(self.name, at, was, is, used));
    }

    fn breaks(&mut self, what: impl std::fmt::Display) {
        self.found.push(Finding::breaks(self.name, what));
    }

    fn grows(&mut self, what: impl std::fmt::Display) {
        self.found.push(Finding::grows(self.name, what));
    }
}

/// Parameters by place and name, such as `query limit`.
fn parameters(operation: &Value) -> BTreeMap<String, &Value> {
    let list = operation["parameters"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    list.map(|one| (format!("{} {}", text(&one["in"]), text(&one["name"])), one)).collect()
}

/// The codes of a problem: the names of its examples.
fn codes(answer: &Value) -> BTreeSet<&str> {
    let contents = answer["content"].as_object().into_iter().flat_map(Map::values);
    contents
        .filter_map(|content| content["examples"].as_object())
        .flat_map(Map::keys)
        .map(String::as_str)
        .collect()
}
