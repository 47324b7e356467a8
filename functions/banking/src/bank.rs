//! The external bank: another company's system behind HTTPS.
//!
//! Only an answer in the bank's own words counts as one. Silence, a server's fault, a gateway's page and an answer
//! for other terms are all the same: nothing was heard. Members' account numbers travel in bodies, never in paths.

use crate::{
    domain::{AccountNumber, Heard, Holder},
    items::Firmbanking,
    settings::Settings,
    vault,
};
use contract::{
    Context, Problem, Trace,
    ports::{Incoming, Outgoing, SecretText, Stage},
};
use kernel::Money;
use serde::Deserialize;
use serde_json::{Value, json};
use store::seal::ServiceKey;

/// The name of the secret with the API key and the number of the corporate account.
pub const SECRET: &str = "bank";

/// The bank, as this function reaches it. It has no Debug, because it holds the API key.
pub struct Bank<'a> {
    context: &'a Context,
    api_key: String,
    corporate: AccountNumber,
    timeout_ms: u32,
    traceparent: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Access {
    api_key: String,
    corporate_account: AccountNumber,
}

/// What the bank says of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether there is such an account.
    pub exists: bool,
    /// Whether it is the holder's.
    pub holder_matches: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    transfer_id: String,
    state: ToldState,
    reason: Option<String>,
    terms: Option<ToldTerms>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum ToldState {
    Done,
    Declined,
    Voided,
}

#[derive(Deserialize)]
struct ToldBalance {
    balance: Money,
}

#[derive(Deserialize)]
struct ToldTerms {
    source: String,
    destination: String,
    amount: Money,
}

impl<'a> Bank<'a> {
    /// The bank, with the credentials in use.
    pub async fn of(context: &'a Context, settings: &Settings, trace: &Trace) -> Result<Bank<'a>, Problem> {
        let text = context.secrets.read(SECRET, Stage::Current).await.map_err(Problem::unavailable)?;
        let SecretText(text) = text.ok_or_else(|| Problem::internal("the bank's secret is empty"))?;
        // What serde says may quote the secret.
        let access: Access = serde_json::from_str(&text)
            .map_err(|_| Problem::internal("the bank's secret has another form"))?;
        let Access { api_key, corporate_account: corporate } = access;
        let traceparent = trace.traceparent().to_owned();
        Ok(Bank { context, api_key, corporate, timeout_ms: settings.bank_timeout_ms, traceparent })
    }

    /// Pay's own account.
    pub fn corporate(&self) -> &AccountNumber {
        &self.corporate
    }

    /// Asks what is on Pay's own account. None: no answer. It is the one number that a path may hold: Pay's own.
    pub async fn corporate_balance(&self) -> Option<Money> {
        let path = format!("/v1/accounts/{}", self.corporate.digits());
        let answer = self.ask("GET", &path, None).await.filter(|answer| answer.status == 200)?;
        serde_json::from_value::<ToldBalance>(answer.body).ok().map(|told| told.balance)
    }

    /// Asks whether an account exists and is a holder's. None: no answer.
    pub async fn verify(&self, number: &AccountNumber, holder: &Holder) -> Option<Verification> {
        let body = json!({ "accountNumber": number.digits(), "holder": holder.as_str() });
        let answer = self.ask("POST", "/v1/accounts/verifications", Some(body)).await?;
        let told = serde_json::from_value(answer.body).ok();
        told.filter(|_| answer.status == 200)
    }

    /// Sends a transfer under its id.
    pub async fn send(
        &self,
        key: &ServiceKey,
        entry: &Firmbanking,
        source: &AccountNumber,
        destination: &AccountNumber,
    ) -> Heard {
        let body = json!({
            "source": source.digits(), "destination": destination.digits(), "amount": entry.amount,
        });
        let answer = self.ask("PUT", &format!("/v1/transfers/{}", entry.transfer_id), Some(body)).await;
        self.heard(key, entry, answer)
    }

    /// Asks in this trace from now on: a transfer's own, whoever goes on with it.
    pub fn follow(&mut self, traceparent: &str) {
        traceparent.clone_into(&mut self.traceparent);
    }

    /// Asks what became of a transfer's id.
    pub async fn inquire(&self, key: &ServiceKey, entry: &Firmbanking) -> Heard {
        let answer = self.ask("GET", &format!("/v1/transfers/{}", entry.transfer_id), None).await;
        let code = answer.as_ref().and_then(|answer| answer.body.get("code")).and_then(Value::as_str);
        // A gateway answers 404 too: the bank's own code makes it the bank's word.
        if answer.as_ref().is_some_and(|answer| answer.status == 404) && code == Some("transfer_not_found") {
            return Heard::NeverSeen;
        }
        self.heard(key, entry, answer)
    }

    /// Asks that nothing may come under a transfer's id any more.
    pub async fn void(&self, key: &ServiceKey, entry: &Firmbanking) -> Heard {
        let path = format!("/v1/transfers/{}/void", entry.transfer_id);
        let answer = self.ask("POST", &path, Some(json!({}))).await;
        self.heard(key, entry, answer)
    }

    async fn ask(&self, method: &'static str, path: &str, body: Option<Value>) -> Option<Incoming> {
        let url = format!("{}{path}", self.context.settings.bank_endpoint);
        let headers = vec![("x-api-key", self.api_key.clone()), ("traceparent", self.traceparent.clone())];
        let request = Outgoing { method, url, headers, body, timeout_ms: self.timeout_ms };
        match self.context.egress.send(request).await {
            Ok(answer) => {
                if answer.status != 200 {
                    tracing::info!(status = answer.status, "the bank answered otherwise than with success");
                }
                Some(answer)
            }
            Err(error) => {
                tracing::warn!(cause = %error, "the bank did not answer");
                None
            }
        }
    }

    fn heard(&self, key: &ServiceKey, entry: &Firmbanking, answer: Option<Incoming>) -> Heard {
        let Some(answer) = answer.filter(|answer| answer.status == 200) else { return Heard::Nothing };
        let Ok(told) = serde_json::from_value::<Told>(answer.body) else { return Heard::Nothing };
        if told.transfer_id != entry.transfer_id {
            return Heard::Nothing;
        }
        let ours = told.terms.as_ref().map(|ToldTerms { source, destination, amount }| {
            Some(vault::terms(key, source, destination, *amount)) == entry.terms
        });
        match (told.state, ours) {
            (ToldState::Voided, _) => Heard::Voided,
            (ToldState::Done, Some(true)) => Heard::Done,
            (ToldState::Declined, Some(true)) => Heard::Declined(reason(told.reason.as_deref())),
            _ => {
                // Only a person can tell what this means; nothing is concluded from it.
                let firmbanking_id = entry.firmbanking_id;
                tracing::error!(about = %firmbanking_id, "the bank answered for other terms than ours");
                Heard::Nothing
            }
        }
    }
}

/// The bank's reason in Pay's stable codes.
fn reason(told: Option<&str>) -> &'static str {
    match told {
        Some("insufficient_funds") => "insufficient_bank_balance",
        Some("account_not_found") => "account_unknown_to_bank",
        _ => "declined_by_bank",
    }
}
