//! What services ask of each other directly: the inputs and answers that both sides share.
//!
//! A callee's operation takes and gives these very types, so that a change that one side does not know does not
//! compile.

use crate::outbox::{FactsRead, ReadFacts};
use events::franchise::Franchise;
use kernel::{
    BasisPoints, Money, SeoulDay, Timestamp,
    id::{
        BankAccountId, CancellationId, FirmbankingId, FranchiseId, MembershipId, MoneyRequestId, PaymentId,
        SettlementId, WalletId,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;

/// An operation of another service: its name, and how long to wait for it.
pub struct Peer<I, T> {
    /// Its full name, such as `banking.requestFirmbanking`.
    pub operation: &'static str,
    /// How long the caller waits, in milliseconds. Deadlines shrink inwards.
    pub timeout_ms: u32,
    types: PhantomData<fn(I) -> T>,
}

impl<I, T> Peer<I, T> {
    /// Names an operation.
    pub const fn new(operation: &'static str, timeout_ms: u32) -> Peer<I, T> {
        Peer { operation, timeout_ms, types: PhantomData }
    }
}

/// Moves money at the external bank. Idempotent by the call's reference.
pub const REQUEST_FIRMBANKING: Peer<FirmbankingOrder, Firmbanking> =
    Peer::new("banking.requestFirmbanking", 10_000);

/// Moves money between two wallets, or a wallet and a franchise, atomically. Idempotent by the call's reference.
pub const TRANSFER_MONEY: Peer<TransferOrder, Transferred> = Peer::new("money.transferMoney", 10_000);

/// Asks whether a bank account is linked, and by a certain member. It changes nothing, so it needs no reference.
pub const VERIFY_BANK_ACCOUNT_OWNER: Peer<BankAccountClaim, BankAccountOwnership> =
    Peer::new("banking.verifyBankAccountOwner", 5_000);

/// Recharges a wallet from a linked account of its owner, for whom it is called. Idempotent by the call's reference.
pub const INCREASE_MONEY_REQUEST: Peer<MoneyOrder, MoneyRequestView> =
    Peer::new("money.increaseMoneyRequest", 12_000);

/// Asks for the balance of the member for whom it is called.
pub const GET_BALANCE_REQUEST: Peer<BalanceQuestion, Balance> = Peer::new("money.getBalanceRequest", 5_000);

/// Asks which of a member's linked accounts a recharge takes if the member names none.
pub const FIND_RECHARGE_ACCOUNT: Peer<RechargeAccountQuestion, RechargeAccount> =
    Peer::new("banking.findRechargeAccount", 5_000);

/// Asks the bank, through banking, what is on Pay's own account.
pub const GET_CORPORATE_BALANCE: Peer<CorporateQuestion, CorporateBalance> =
    Peer::new("banking.getCorporateBalance", 10_000);

/// Asks who a member is, by id or by email. It changes nothing, so it needs no reference.
pub const RESOLVE_MEMBER: Peer<MemberQuestion, ResolvedMember> = Peer::new("membership.resolveMember", 5_000);

/// Asks for a franchise's terms as they are now: what its facts carry. It changes nothing, so it needs no reference.
pub const FIND_FRANCHISE_TERMS: Peer<FranchiseQuestion, FranchiseTerms> =
    Peer::new("franchise.findFranchiseTerms", 5_000);

/// Keeps money of a wallet for something on its way. The call's reference names the hold from then on; asking twice
/// is asking once.
pub const HOLD_MONEY: Peer<HoldOrder, HoldEntry> = Peer::new("money.holdMoney", 10_000);

/// Closes the hold that the call's reference names: moves the money, or a part of it, and frees the rest. Money that
/// is held can always be posted.
pub const POST_HOLD: Peer<PostOrder, HoldEntry> = Peer::new("money.postHold", 10_000);

/// Closes the hold that the call's reference names: all of it is free again. If that hold was never made, it never
/// will be, so that a saga which gives up needs not know how far it came.
pub const RELEASE_HOLD: Peer<ReleaseOrder, HoldEntry> = Peer::new("money.releaseHold", 10_000);

/// Reads membership's facts from its items, page by page: for a read model that is built anew.
pub const READ_MEMBERSHIP_FACTS: Peer<ReadFacts, FactsRead> = Peer::new("membership.readFacts", 10_000);

/// Reads money's facts from its items, page by page: for a read model that is built anew.
pub const READ_MONEY_FACTS: Peer<ReadFacts, FactsRead> = Peer::new("money.readFacts", 10_000);

/// Begins a member's wallet. It needs no reference: a wallet begins once.
pub const OPEN_MEMBER_MONEY: Peer<WalletOwner, MemberMoney> = Peer::new("money.openMemberMoney", 10_000);

/// Ends a member's wallet, if nothing is left in it or on its way to it. Idempotent by the call's reference: refused
/// once under a reference is refused for ever under it.
pub const CLOSE_MEMBER_MONEY: Peer<WalletOwner, MoneyClosing> = Peer::new("money.closeMemberMoney", 10_000);

/// Asks whether a member still owns an open franchise, or one that is still to be paid out. It changes nothing, so it
/// needs no reference.
pub const VERIFY_FRANCHISES_CLOSED: Peer<FranchiseOwner, FranchisesClosed> =
    Peer::new("franchise.verifyFranchisesClosed", 8_000);

/// Collects what a franchise was paid in some business days and no earlier settlement has, into a manifest that never
/// changes. One call does a part of a large one; asking again goes on, and a finished one only says its totals. The
/// manifest's name is what makes it idempotent, so it needs no reference.
pub const COLLECT_MANIFEST: Peer<ManifestOrder, Manifest> = Peer::new("payment.collectManifest", 25_000);

/// Makes all that a manifest lists settled. Asking twice is asking once, so it needs no reference.
pub const FINISH_PAYMENTS: Peer<FinishedGroup, PaymentsFinished> =
    Peer::new("payment.finishPayments", 10_000);

/// Lists a manifest's payments and cancellations, page by page.
pub const LIST_MANIFEST: Peer<ManifestPageQuestion, ManifestPage> = Peer::new("payment.listManifest", 15_000);

/// Lists the terms of all franchises as they are now, page by page.
pub const LIST_FRANCHISE_TERMS: Peer<FranchisePageQuestion, FranchisePage> =
    Peer::new("franchise.listFranchiseTerms", 10_000);

/// Asks whether all that a closed franchise was owed is paid out. It changes nothing, so it needs no reference.
pub const VERIFY_FRANCHISE_SETTLED: Peer<SettledQuestion, FranchiseSettled> =
    Peer::new("settlement.verifyFranchiseSettled", 5_000);

/// Makes an account at the bank one that the member may remit to, once the bank has confirmed it. Asking twice is
/// asking once, so it needs no reference.
pub const REGISTER_PAYEE: Peer<PayeeOrder, Payee> = Peer::new("banking.registerPayee", 8_000);

/// An account at the bank, as an order names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum BankParty {
    /// Pay's own account, where members' money lies.
    // Braces, because serde lets unknown fields of a variant without them pass.
    Corporate {},
    /// An account that a member linked.
    #[serde(rename_all = "camelCase")]
    Linked {
        /// Which.
        bank_account_id: BankAccountId,
        /// Whose it must be. A call on behalf of a member may name no other.
        membership_id: MembershipId,
    },
}

/// Moves `amount` from `source` to `destination` at the external bank.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FirmbankingOrder {
    /// The account to debit.
    pub source: BankParty,
    /// The account to credit.
    pub destination: BankParty,
    /// How much; at least 1 won.
    pub amount: Money,
}

/// How far a firmbanking is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum FirmbankingState {
    /// Stored; the bank was not asked yet.
    Requested,
    /// The bank is being asked.
    Sent,
    /// The bank did not answer: it may or may not have moved the money. Inquiry will tell.
    Unknown,
    /// The bank moved the money, for certain.
    Succeeded,
    /// The bank moved nothing and never will, for certain.
    Failed,
}

/// A firmbanking as its callers and its owner see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Firmbanking {
    /// Its id.
    pub firmbanking_id: FirmbankingId,
    /// The account debited.
    pub source: BankParty,
    /// The account credited.
    pub destination: BankParty,
    /// How much.
    pub amount: Money,
    /// How far it is.
    pub state: FirmbankingState,
    /// Why it failed, as a stable code such as `insufficient_bank_balance`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure_reason: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it became certain.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub completed_at: Option<Timestamp>,
    /// The id under which the bank knows it, for operators only: what to name when calling the bank.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bank_transfer_id: Option<String>,
}

/// A bank account, and who is said to have linked it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BankAccountClaim {
    /// Which account.
    pub bank_account_id: BankAccountId,
    /// Whose it is said to be. A call on behalf of a member may name no other.
    pub membership_id: MembershipId,
}

/// What banking says of a [`BankAccountClaim`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BankAccountOwnership {
    /// Whether the account is linked now, and the member's.
    pub linked: bool,
}

/// One side of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum TransferParty {
    /// A member's wallet.
    #[serde(rename_all = "camelCase")]
    Member {
        /// Whose.
        membership_id: MembershipId,
    },
    /// What Pay owes a franchise.
    #[serde(rename_all = "camelCase")]
    Franchise {
        /// Which.
        franchise_id: FranchiseId,
    },
    /// Pay's account at the bank: the money has left Pay.
    BankCorporate {},
    /// What Pay has earned in fees.
    FeeRevenue {},
    /// What Pay owes the tax office.
    VatPayable {},
}

/// Moves `amount`: between two wallets is a remittance, from a wallet to a franchise a payment, and back a
/// cancellation, which is never refused. Settlement moves what a franchise is owed: to the bank when it was paid out,
/// and as fee and VAT, which come back when more was cancelled than paid; none of these is ever refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransferOrder {
    /// Whom to debit.
    pub debit: TransferParty,
    /// Whom to credit.
    pub credit: TransferParty,
    /// How much; at least 1 won.
    pub amount: Money,
    /// When it is too late: from then on it is refused, for ever. A cancellation has no end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
}

/// A transfer that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Transferred {
    /// The entry of the wallet debited; none if it is no wallet's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub debit: Option<Posting>,
    /// The entry of the wallet credited; none if it is no wallet's.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub credit: Option<Posting>,
    /// How much.
    pub amount: Money,
    /// The entries' time.
    pub transferred_at: Timestamp,
}

/// A wallet's entry of a transfer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Posting {
    /// The wallet.
    pub wallet_id: WalletId,
    /// The entry's place in its chain.
    pub sequence: u64,
    /// The wallet's balance after it.
    pub balance: Money,
}

/// Which way a money request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Direction {
    /// From the bank into the wallet.
    Recharge,
    /// From the wallet to the bank.
    Withdrawal,
}

/// How far a money request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MoneyRequestState {
    /// Stored; work goes on.
    Requested,
    /// The bank has not said yet whether it moved the money. Nobody need act: it is asked until it is certain.
    BankUnknown,
    /// The money was moved.
    Succeeded,
    /// Nothing was moved.
    Failed,
}

/// A recharge or a withdrawal, as a member asks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MoneyOrder {
    /// One of the member's linked bank accounts.
    pub bank_account_id: BankAccountId,
    /// How much to move between it and the wallet; at least 1 won.
    pub amount: Money,
}

/// A money request as its owner sees it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MoneyRequestView {
    /// Its id.
    pub money_request_id: MoneyRequestId,
    /// Whose.
    pub membership_id: MembershipId,
    /// Which way it goes.
    pub direction: Direction,
    /// The linked account.
    pub bank_account_id: BankAccountId,
    /// How much.
    pub amount: Money,
    /// How far it is.
    pub state: MoneyRequestState,
    /// Why it failed, as a stable code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure_reason: Option<String>,
    /// The wallet's balance right after it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub balance_after: Option<Money>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it became final.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub completed_at: Option<Timestamp>,
}

/// Whose balance, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BalanceQuestion {
    /// The caller's own id, or the one on whose behalf a service asks.
    pub membership_id: MembershipId,
    /// A past time; now if unsaid.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Timestamp>,
}

/// A balance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Balance {
    /// The wallet.
    pub wallet_id: WalletId,
    /// What the member owns.
    pub balance: Money,
    /// What of it is held for something on its way.
    pub held: Money,
    /// What can be spent: balance less held.
    pub available: Money,
    /// What recharges on their way will bring.
    pub expected: Money,
    /// The sequence number of the entry that says so; 0 before the first.
    pub sequence: u64,
    /// The time of that entry; none before the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<Timestamp>,
}

/// Whose linked accounts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RechargeAccountQuestion {
    /// Whose. A call on behalf of a member may name no other.
    pub membership_id: MembershipId,
}

/// What banking answers to a [`RechargeAccountQuestion`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RechargeAccount {
    /// The account that was linked first; none if none is linked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub bank_account_id: Option<BankAccountId>,
}

/// There is one corporate account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CorporateQuestion {}

/// What is on Pay's own account at the bank.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CorporateBalance {
    /// How much.
    pub balance: Money,
}

/// A member, as somebody names them. It may hold an email, and has no Debug.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "by", rename_all = "camelCase", deny_unknown_fields)]
pub enum MemberQuestion {
    /// By id.
    #[serde(rename_all = "camelCase")]
    Id {
        /// Who.
        membership_id: MembershipId,
    },
    /// By email, in whatever case.
    Email {
        /// The email.
        email: String,
    },
}

/// What membership answers to a [`MemberQuestion`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedMember {
    /// Who it is; none if there is no such member, or not any more.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub membership_id: Option<MembershipId>,
}

/// An account that a member wants to remit to. It holds personal data, and has no Debug.
#[derive(Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PayeeOrder {
    /// Who remits. A call on behalf of a member may name no other.
    pub membership_id: MembershipId,
    /// The account's number.
    pub account_number: String,
    /// The holder's name, as the bank knows it.
    pub holder: String,
}

/// An account that a member may remit to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payee {
    /// Its id: a firmbanking from the corporate account may name it, and nothing else.
    pub bank_account_id: BankAccountId,
    /// The number, but for its last four digits hidden.
    #[schemars(example = "**********8901")]
    pub masked_account_number: String,
}

/// Which franchise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FranchiseQuestion {
    /// The franchise.
    pub franchise_id: FranchiseId,
}

/// What franchise answers to a [`FranchiseQuestion`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FranchiseTerms {
    /// The franchise as its last fact tells it; none if there is no such franchise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub franchise: Option<Franchise>,
}

/// Keeps `amount` in a member's wallet, until it is posted or released. A hold never expires by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldOrder {
    /// Whose wallet.
    pub membership_id: MembershipId,
    /// How much; at least 1 won. Limits are counted now.
    pub amount: Money,
    /// When it is too late to begin: from then on it is refused, for ever.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expires_at: Option<Timestamp>,
}

/// Moves `amount` of what is held to an account that is no wallet, and frees the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PostOrder {
    /// Whose wallet.
    pub membership_id: MembershipId,
    /// How much; at least 1 won, at most what is held.
    pub amount: Money,
    /// Where it goes.
    pub credit: ImplicitAccount,
}

/// Frees what is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseOrder {
    /// Whose wallet.
    pub membership_id: MembershipId,
}

/// An account of the ledger that is no wallet. A wallet may refuse money, and a hold must always be closable, so none
/// can be named here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "camelCase", deny_unknown_fields)]
pub enum ImplicitAccount {
    /// Pay's account at the bank: the money has left Pay.
    BankCorporate {},
    /// What Pay owes a franchise.
    #[serde(rename_all = "camelCase")]
    Franchise {
        /// Which.
        franchise_id: FranchiseId,
    },
    /// What Pay has earned.
    FeeRevenue {},
    /// What Pay owes the tax office.
    VatPayable {},
}

/// The ledger entry that a step of a hold has made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HoldEntry {
    /// The wallet.
    pub wallet_id: WalletId,
    /// The entry's place in the wallet's chain.
    pub sequence: u64,
    /// What was held, posted or released.
    pub amount: Money,
    /// The wallet's balance after it.
    pub balance: Money,
    /// What of the balance is held after it, for whatever reason.
    pub held: Money,
    /// The entry's time.
    pub entered_at: Timestamp,
}

/// The member whose wallet is to begin or to end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WalletOwner {
    /// Who.
    pub membership_id: MembershipId,
}

/// A member's wallet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberMoney {
    /// Its id.
    pub wallet_id: WalletId,
    /// Whose.
    pub membership_id: MembershipId,
    /// The time of its first entry.
    pub opened_at: Timestamp,
}

/// What became of the end of a wallet.
// An answer and no problem, so that a definite refusal is never taken for a fault on the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub enum MoneyClosing {
    /// It is closed, and takes and gives nothing any more.
    #[serde(rename_all = "camelCase")]
    Closed {
        /// The wallet.
        wallet_id: WalletId,
        /// The place of its last entry but for what comes too late.
        sequence: u64,
        /// That entry's time.
        closed_at: Timestamp,
    },
    /// It stays open.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// Why.
        reason: WhatIsLeft,
    },
}

/// Why a wallet cannot be closed, in the order in which it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WhatIsLeft {
    /// Money is held for something on its way.
    Held,
    /// A recharge is on its way.
    Expected,
    /// Money is in it.
    Balance,
}

/// A manifest: what one settlement takes of a franchise's payments. Its place in the franchise's chain of settlements
/// and its last day name it, so that two attempts that stand on the same settlement before them build one manifest,
/// and two that do not build two.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestName {
    /// The place in the franchise's chain of the settlement that it is for: 1, 2, 3 …
    pub sequence: u64,
    /// The last business day in it.
    pub through: SeoulDay,
}

/// A record may come late, by so many business days: a day's payments are looked for by the settlement that the day
/// belongs to, and again by those of so many days after it.
pub const LOOK_BACK_DAYS: u32 = 2;

/// The last business day whose settlement still looks through this one.
pub fn last_look_at(day: &SeoulDay) -> SeoulDay {
    day.plus_days(i64::from(LOOK_BACK_DAYS))
}

/// The first business day that is looked through again once settlements have come as far as this one.
pub fn first_looked_at_after(through: &SeoulDay) -> SeoulDay {
    through.plus_days(i64::from(LOOK_BACK_DAYS).saturating_neg().saturating_add(1))
}

/// What to collect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestOrder {
    /// Whose.
    pub franchise_id: FranchiseId,
    /// Into which manifest.
    pub name: ManifestName,
    /// The first business day to look through. Days that an earlier settlement took are looked through again, because
    /// records may come late.
    pub from: SeoulDay,
    /// The manifests of earlier settlements that may have something of these days: what they have is left out.
    pub settled: Vec<ManifestName>,
}

/// How far a manifest is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Whether everything is collected: from then on it never changes.
    pub complete: bool,
    /// What is in it until now, by fee; the lowest fee first.
    pub totals: Vec<FeeTotals>,
}

/// Payments and cancellations under one fee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FeeTotals {
    /// What Pay keeps of them.
    pub fee_bps: BasisPoints,
    /// How many payments.
    pub payments: u64,
    /// Their sum.
    #[serde(with = "kernel::money::won")]
    #[schemars(with = "u64")]
    pub paid: Money,
    /// How many cancellations: whole or in part, of these payments or of ones that were settled before.
    pub cancellations: u64,
    /// Their sum.
    #[serde(with = "kernel::money::won")]
    #[schemars(with = "u64")]
    pub canceled: Money,
}

/// Payments that are settled together: all that a manifest lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FinishedGroup {
    /// Whose.
    pub franchise_id: FranchiseId,
    /// Which manifest.
    pub name: ManifestName,
    /// In which settlement.
    pub settlement_id: SettlementId,
    /// When that was recorded.
    pub settled_at: Timestamp,
}

/// What payment answers to a [`FinishedGroup`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentsFinished {
    /// How many payments.
    pub payments: u64,
}

/// Which page of a manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManifestPageQuestion {
    /// Whose.
    pub franchise_id: FranchiseId,
    /// Which manifest.
    pub name: ManifestName,
    /// What the page before ended with; none for the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
}

/// A page of a manifest. A page may be empty, and still not be the last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestPage {
    /// What it lists.
    pub rows: Vec<ManifestRow>,
    /// What the next page is asked for by; none at the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
}

/// A payment, or a cancellation, in a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestRow {
    /// The payment.
    pub payment_id: PaymentId,
    /// The cancellation, if it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cancellation_id: Option<CancellationId>,
    /// The merchant's name for the order.
    pub order_id: String,
    /// How much was paid or came back.
    pub amount: Money,
    /// What Pay keeps of it.
    pub fee_bps: BasisPoints,
    /// When it was approved, or came back.
    pub at: Timestamp,
}

/// Which page of all franchises.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FranchisePageQuestion {
    /// What the page before ended with; none for the first.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
}

/// A page of all franchises, the closed ones too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FranchisePage {
    /// At most 25 of them.
    pub franchises: Vec<ListedFranchise>,
    /// What the next page is asked for by; none at the end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
}

/// A franchise in a list of all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListedFranchise {
    /// As its last fact tells it.
    pub franchise: Franchise,
    /// When it began: it was never paid before.
    pub registered_at: Timestamp,
    /// When it was closed, if it is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub closed_at: Option<Timestamp>,
}

/// Which closed franchise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SettledQuestion {
    /// The franchise.
    pub franchise_id: FranchiseId,
    /// When it was closed.
    pub closed_at: Timestamp,
}

/// What settlement answers to a [`SettledQuestion`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FranchiseSettled {
    /// Whether no settlement to come looks through its last business day any more, and nothing that it is owed is still
    /// to be paid out. What it owes stops nobody.
    pub settled: bool,
}

/// The member whose franchises are asked about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FranchiseOwner {
    /// Who.
    pub membership_id: MembershipId,
}

/// What franchise says of a [`FranchiseOwner`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FranchisesClosed {
    /// Whether none of their franchises is open, as far as its lists know yet.
    pub all_closed: bool,
    /// Whether, besides, all that they were owed is paid out.
    pub all_settled: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_looked_through_until_its_last_look_is_over() {
        let day = |text: &str| text.parse::<SeoulDay>().unwrap();
        assert_eq!(last_look_at(&day("2026-11-20")), day("2026-11-22"));
        for (through, is_over) in [("2026-11-20", false), ("2026-11-21", false), ("2026-11-22", true)] {
            let through = day(through);
            assert_eq!(through >= last_look_at(&day("2026-11-20")), is_over, "{through}");
            assert_eq!(first_looked_at_after(&through) > day("2026-11-20"), is_over, "{through}");
        }
    }

    #[test]
    fn a_party_takes_no_fields_that_it_does_not_know() {
        let read = |text| serde_json::from_str::<BankParty>(text).ok();
        assert_eq!(read(r#"{"kind":"corporate"}"#), Some(BankParty::Corporate {}));
        assert_eq!(
            serde_json::to_string(&BankParty::Corporate {}).ok().as_deref(),
            Some(r#"{"kind":"corporate"}"#)
        );
        for odd in [r#"{"kind":"corporate","unknown":1}"#, r#"{"kind":"other"}"#, r#"{}"#] {
            assert_eq!(read(odd), None, "{odd}");
        }
    }
}
