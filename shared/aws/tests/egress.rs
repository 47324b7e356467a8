//! Requests to another company's system, against a server on this machine that answers as it is told.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail loudly")]
#![allow(clippy::disallowed_methods, reason = "the server is another company's, and runs beside the client")]

use aws::egress::Https;
use contract::ports::{Egress, Incoming, Outgoing};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener},
    sync::mpsc::{Receiver, channel},
    thread,
};

/// A server that takes one request on each of its connections, tells the test of it, and sends this answer.
fn server(answer: &'static str) -> (String, Receiver<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut held = Vec::new();
        for connection in listener.incoming() {
            let mut connection = BufReader::new(connection.unwrap());
            let (mut told, mut length) = (String::new(), 0);
            while !told.ends_with("\r\n\r\n") && connection.read_line(&mut told).unwrap() > 0 {
                let line = told.lines().last().unwrap_or_default();
                if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            connection.read_exact(&mut body).unwrap();
            let _ = sender.send(told + str::from_utf8(&body).unwrap());
            connection.get_mut().write_all(answer.as_bytes()).unwrap();
            // An answer that is not whole leaves the caller waiting on an open connection.
            held.push(connection);
        }
    });
    (url, receiver)
}

fn outgoing(url: &str, body: Option<Value>, timeout_ms: u32) -> Outgoing {
    let headers = vec![("x-api-key", "key".to_owned())];
    Outgoing { method: "POST", url: format!("{url}/transfers?a=1"), headers, body, timeout_ms }
}

#[tokio::test]
async fn a_request_is_sent_as_it_is_and_its_answer_read() {
    let (url, requests) = server("HTTP/1.1 201 Created\r\ncontent-length: 7\r\n\r\n{\"n\":1}");
    let answer = Https::new(&url).send(outgoing(&url, Some(json!({"a": 1})), 5_000)).await;
    assert_eq!(answer, Ok(Incoming { status: 201, body: json!({"n": 1}) }));
    let request = requests.recv().unwrap();
    assert!(request.starts_with("POST /transfers?a=1 HTTP/1.1\r\n"), "{request}");
    for part in ["x-api-key: key\r\n", "content-type: application/json\r\n", "\r\n\r\n{\"a\":1}"] {
        assert!(request.contains(part), "{request}");
    }
}

#[tokio::test]
async fn an_answer_that_is_no_json_keeps_its_status() {
    let (url, _requests) = server("HTTP/1.1 502 Bad Gateway\r\ncontent-length: 6\r\n\r\n<html>");
    let answer = Https::new(&url).send(outgoing(&url, None, 5_000)).await;
    assert_eq!(answer, Ok(Incoming { status: 502, body: Value::Null }));
}

#[tokio::test]
async fn silence_is_no_answer_and_is_not_asked_again() {
    let whole = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"n\"";
    for (half, answer) in [("", ""), ("half", whole)] {
        let (url, requests) = server(answer);
        let answer = Https::new(&url).send(outgoing(&url, None, 300)).await;
        assert_eq!(answer.unwrap_err().0, "no answer within 300 ms", "{half}");
        assert_eq!(requests.try_iter().count(), 1);
    }
}

#[tokio::test]
async fn plain_http_goes_only_to_an_endpoint_that_says_so() {
    let (url, requests) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    assert!(Https::new("https://bank.example").send(outgoing(&url, None, 5_000)).await.is_err());
    assert_eq!(requests.try_iter().count(), 0);
}

#[tokio::test]
async fn an_endpoint_without_a_known_certificate_is_not_spoken_to() {
    // The server speaks no TLS at all, which is the least of what may be wrong.
    let (url, _requests) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    let url = url.replace("http://", "https://");
    assert!(Https::new(&url).send(outgoing(&url, None, 2_000)).await.is_err());
}
