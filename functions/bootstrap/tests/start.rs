//! The binaries as Lambda starts them: environment in, Runtime API spoken, one JSON line a call.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test may fail loudly")]

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
};

const MONEY: &str = env!("CARGO_BIN_EXE_money");

/// The money binary with the variables that Lambda and Terraform set, and nothing else.
fn money(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(MONEY);
    command.env_clear().stdout(Stdio::piped()).stderr(Stdio::piped()).envs([
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_LAMBDA_FUNCTION_NAME", "pay-money-test"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("PAY_TABLE", "pay-money"),
    ]);
    command.envs(variables.iter().copied());
    command
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_function_that_cannot_start_says_why_and_ends() {
    let cases = [
        (vec![("_HANDLER", "getBalance")], "the service money has no operation named getBalance"),
        (
            vec![("LAMBDA_TASK_ROOT", "/var/task")],
            "the environment variable _HANDLER is missing or not valid",
        ),
        (
            vec![("_HANDLER", "getBalanceRequest"), ("PAY_CONFIG", "{")],
            "the environment variable PAY_CONFIG is missing or not valid",
        ),
        (
            vec![("_HANDLER", "getBalanceRequest"), ("AWS_REGION", "")],
            "the environment variable AWS_REGION is missing or not valid",
        ),
    ];
    for (variables, why) in cases {
        let output = money(&variables).output().unwrap();
        assert!(!output.status.success(), "{why}");
        let lines = lines(&output);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = lines.first().unwrap();
        assert_eq!(line.get("level"), Some(&json!("ERROR")));
        assert_eq!(line.get("service"), Some(&json!("money")));
        assert_eq!(line.get("cause"), Some(&json!(why)));
    }
}

/// Ends the function, whatever becomes of the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_event_of_the_gateway_is_answered_and_logged_once() {
    let runtime = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = runtime.local_addr().unwrap().to_string();
    let variables = [("_HANDLER", "getBalanceRequest"), ("AWS_LAMBDA_RUNTIME_API", address.as_str())];
    let mut function = Running(money(&variables).spawn().unwrap());
    let event = json!({
        "version": "2.0", "rawPath": "/v1/nowhere", "rawQueryString": "",
        "headers": {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
        "requestContext": {"http": {"method": "GET"}, "timeEpoch": 1_795_374_695_073_i64}, "isBase64Encoded": false
    });
    // Held until the function is killed: it then waits for its next event, and has no failure to log.
    let (answer, _connection) = one_invocation(&runtime, &event.to_string());
    assert_eq!(answer.get("statusCode"), Some(&json!(401)), "{answer}");

    function.0.kill().unwrap();
    let mut text = String::new();
    function.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let logged: Vec<Value> = lines.filter(|line: &Value| line.get("operation").is_some()).collect();
    assert_eq!(logged.len(), 1, "{text}");
    let line = logged.first().unwrap();
    let expected = [
        ("level", json!("INFO")),
        ("message", json!("getBalanceRequest refused")),
        ("service", json!("money")),
        ("operation", json!("getBalanceRequest")),
        ("status", json!(401)),
        ("trace_id", json!("4bf92f3577b34da6a3ce929d0e0e4736")),
    ];
    for (field, value) in expected {
        assert_eq!(line.get(field), Some(&value), "{line}");
    }
}

/// Plays Lambda's Runtime API for one invocation, and gives what the function answered, and over what connection.
fn one_invocation(runtime: &TcpListener, event: &str) -> (Value, BufReader<TcpStream>) {
    let mut connection = BufReader::new(runtime.accept().unwrap().0);
    loop {
        let (path, body) = request(&mut connection);
        if path.ends_with("/invocation/next") {
            let headers = [
                "lambda-runtime-aws-request-id: 8476a536",
                "lambda-runtime-deadline-ms: 4102444800000",
                "lambda-runtime-invoked-function-arn: arn:aws:lambda:us-east-1:000000000000:function:pay-money-test",
                "content-type: application/json",
            ];
            respond(connection.get_mut(), "200 OK", &headers, event);
        } else if path.ends_with("/invocation/8476a536/response") {
            return (serde_json::from_slice(&body).unwrap(), connection);
        } else {
            panic!("the function asked for {path}: {}", String::from_utf8_lossy(&body));
        }
    }
}

fn request(connection: &mut BufReader<TcpStream>) -> (String, Vec<u8>) {
    let (mut first, mut length) = (String::new(), 0);
    connection.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        connection.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    connection.read_exact(&mut body).unwrap();
    (first.split(' ').nth(1).unwrap_or_default().to_owned(), body)
}

fn respond(connection: &mut TcpStream, status: &str, headers: &[&str], body: &str) {
    let head = headers.join("\r\n");
    let length = body.len();
    write!(connection, "HTTP/1.1 {status}\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
}
