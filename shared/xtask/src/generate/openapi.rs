//! infra/terraform/openapi.json: OpenAPI 3.1 of an API, every operation with its schemas, codes, scopes and example.
//!
//! Inputs and answers come from the Rust types through schemars, whose JSON Schema 2020-12 is OpenAPI 3.1's own. An
//! input is one type in Rust; here it is split by the route into path, query and body, as `contract::http` joins them.
//! Descriptions are the heads of the operations' files, and request examples are the events in events/.

mod problems;
mod schemas;

use anyhow::{Context as _, Result};
use contract::{Access, Api, Method, Operation, Service};
use heck::ToUpperCamelCase as _;
use schemas::{Input, Schemas};
use serde_json::{Map, Value, json};
use std::{fs, path::Path};

/// The document of the API of this kind.
pub fn document(root: &Path, services: &[&'static Service], api: Api) -> Result<Value> {
    let services: Vec<_> = services.iter().filter(|service| service.api == api).collect();
    let mut schemas = Schemas::default();
    let mut paths: Map<String, Value> = Map::new();
    for service in &services {
        for operation in service.operations {
            for (place, (method, path)) in operation.routes().enumerate() {
                if method == Method::Any {
                    continue;
                }
                let route = Route { root, service, operation, method, path, first: place == 0 };
                let described = route.describe(&mut schemas).with_context(|| operation.name)?;
                let methods = paths.entry(path).or_insert_with(|| json!({}));
                let methods = methods.as_object_mut().context("a path is an object")?;
                methods.insert(method.as_str().to_lowercase(), described);
            }
        }
    }
    let tags = services.iter().map(|service| json!({ "name": service.name, "description": service.summary }));
    let (title, schemes) = match api {
        Api::Pay => (
            "Pay",
            json!({ "accessToken": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": "An access token of loginMembership. The list beside it names the scope needed." } }),
        ),
        Api::Bank => (
            "The external bank",
            json!({ "apiKey": { "type": "apiKey", "in": "header", "name": "x-api-key" } }),
        ),
    };
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache License 2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{
            "url": "{endpoint}",
            "variables": { "endpoint": { "default": "https://pay.example", "description": "The API's address" } },
        }],
        "tags": tags.collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": schemes,
            "examples": problems::examples(&services)?,
            "headers": headers(),
        },
    });
    schemas.complete(&mut document)?;
    Ok(document)
}

/// One way to reach an operation.
struct Route<'a> {
    root: &'a Path,
    service: &'a Service,
    operation: &'a Operation,
    method: Method,
    path: &'static str,
    first: bool,
}

impl Route<'_> {
    fn describe(&self, schemas: &mut Schemas) -> Result<Value> {
        let (input, answer) = schemas.of(self.operation)?;
        let mut described = json!({
            "operationId": self.id(),
            "summary": self.operation.summary,
            "description": self.head(),
            "tags": [self.service.name],
            "security": self.security(),
            "parameters": self.parameters(&input),
            "responses": self.responses(&answer)?,
        });
        if let Some(body) = self.request_body(input, schemas)? {
            described
                .as_object_mut()
                .context("an operation is an object")?
                .insert("requestBody".to_owned(), body);
        }
        Ok(described)
    }

    /// The operation's name; a further route of the same operation adds what it asks for.
    fn id(&self) -> String {
        let name = self.operation.name;
        if self.first {
            return name.to_owned();
        }
        let rest: String =
            path_parameters(self.path).map(|parameter| parameter.to_upper_camel_case()).collect();
        format!("{name}By{}", if rest.is_empty() { "Query" } else { &rest })
    }

    /// The head of the operation's file.
    fn head(&self) -> String {
        let path = crate::file_of(self.service, self.operation);
        let source = fs::read_to_string(self.root.join(path)).unwrap_or_default();
        let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
        lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
    }

    /// One alternative per scope: any one of them is enough.
    fn security(&self) -> Value {
        match self.operation.access {
            Access::Scopes(scopes) => {
                scopes.iter().map(|scope| json!({ "accessToken": [scope.as_str()] })).collect()
            }
            Access::ApiKey(_) => json!([{ "apiKey": [] }]),
            Access::Public | Access::Internal => json!([]),
        }
    }

    fn takes_body(&self) -> bool {
        !matches!(self.method, Method::Get | Method::Delete)
    }

    fn parameters(&self, input: &Input) -> Vec<Value> {
        let names = |path| path_parameters(path).collect::<Vec<_>>();
        let own = names(self.path);
        let others: Vec<_> = self.operation.routes().map(|(_, path)| names(path)).collect();
        // A route that names one thing takes nothing of what its sibling, the list, is narrowed by.
        let names_one = others.iter().any(|other| other.len() < own.len());
        let has_query = !self.takes_body() && !names_one;
        let parameters = input.properties.iter().filter_map(|(name, schema)| {
            let in_path = own.contains(&name.as_str());
            let in_query = has_query && !others.iter().flatten().any(|other| other == name);
            let place = if in_path { "path" } else { "query" };
            let required = in_path || input.required.contains(name);
            let schema = schemas::not_null(schema.clone());
            (in_path || in_query).then(|| parameter(place, name, required, schema))
        });
        let mut parameters: Vec<Value> = parameters.collect();
        if self.operation.idempotent {
            let schema = json!({ "type": "string", "pattern": "^[!-~]{1,255}$",
                "description": "The caller's own name for this request: repeating it repeats the answer, not the deed." });
            let required = !self.operation.key_optional;
            parameters.push(parameter("header", "Idempotency-Key", required, schema));
        }
        if self.operation.refuses.iter().any(|code| code.code == contract::problem::PRECONDITION_FAILED.code)
        {
            let schema =
                json!({ "type": "string", "description": "The ETag of the version that is to be changed." });
            parameters.push(parameter("header", "If-Match", false, schema));
        }
        // No pattern: what is no traceparent is ignored, as W3C Trace Context asks, and not refused.
        let schema = json!({ "type": "string",
            "examples": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            "description": "W3C Trace Context: the trace that the request belongs to. One of another form is ignored." });
        parameters.push(parameter("header", "traceparent", false, schema));
        parameters
    }

    /// What is left of the input when path parameters are taken out.
    fn request_body(&self, mut input: Input, schemas: &mut Schemas) -> Result<Option<Value>> {
        for name in path_parameters(self.path) {
            input.take(name);
        }
        if !self.takes_body() || input.is_empty() {
            return Ok(None);
        }
        let required = input.requires_something();
        let name = format!("{}Request", self.id().to_upper_camel_case());
        let reference = schemas.define(name, input.schema);
        let mut media = json!({ "schema": reference });
        if let (Some(example), Some(media)) = (self.example()?, media.as_object_mut()) {
            media.insert("example".to_owned(), example);
        }
        Ok(Some(json!({ "required": required, "content": { "application/json": media } })))
    }

    /// The body of the example event, if the event takes this route.
    fn example(&self) -> Result<Option<Value>> {
        let path = format!("events/{}.json", self.operation.name);
        let Ok(text) = fs::read_to_string(self.root.join(&path)) else { return Ok(None) };
        let event: Value = serde_json::from_str(&text).with_context(|| path.clone())?;
        let body = event.get("body").and_then(Value::as_str).filter(|_| self.first);
        body.map(serde_json::from_str).transpose().with_context(|| format!("the body in {path}"))
    }

    fn responses(&self, answer: &Value) -> Result<Map<String, Value>> {
        let mut responses = problems::responses(self.operation, self.method, self.path)?;
        let patched =
            |operation: &Operation| operation.routes().any(|route| route == (Method::Patch, self.path));
        let versioned = self.service.operations.iter().any(patched);
        for status in self.operation.answers {
            let named = [
                ("trace-id", true),
                ("Location", matches!(status, 201 | 202)),
                ("ETag", versioned),
                ("Link", self.operation.produces != contract::operation::JSON),
                ("Idempotent-Replayed", self.operation.idempotent),
            ];
            let headers = problems::headers(named);
            let mut response = json!({ "description": meaning(*status), "headers": headers });
            if *status != 204 {
                let media = self.operation.produces.split(';').next().unwrap_or_default();
                let content = json!({ media: { "schema": answer } });
                response.as_object_mut().context("response")?.insert("content".to_owned(), content);
            }
            responses.insert(status.to_string(), response);
        }
        Ok(responses)
    }
}

/// The names in a route template's braces.
pub fn path_parameters(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(place: &str, name: &str, required: bool, mut schema: Value) -> Value {
    let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
    let description = description.unwrap_or_else(|| json!(""));
    json!({ "in": place, "name": name, "required": required, "description": description, "schema": schema })
}

fn meaning(status: u16) -> &'static str {
    match status {
        201 => "Made.",
        202 => "Taken: the result will be found at the Location.",
        204 => "Done.",
        _ => "Done; the answer tells.",
    }
}

fn headers() -> Value {
    let text = |description: &str| json!({ "description": description, "schema": { "type": "string" } });
    json!({
        "trace-id": text("The request's trace: what to name when asking for help."),
        "Location": text("Where the thing is to be found."),
        "Link": text("Where the answer goes on, as `<…>; rel=\"next\"`; not there at its end."),
        "ETag": text("The version of the thing, for If-Match."),
        "Idempotent-Replayed": text("`true` when this is the first result again."),
        "Retry-After": { "description": "When to ask again, in seconds.", "schema": { "type": "integer" } },
    })
}
