//! The same sums in the simplest way: facts in their true order, a list of who lives where, and no model at all.

use crate::facts;
use events::Envelope;
use kernel::{SeoulDay, Timestamp};
use std::collections::BTreeMap;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Happening {
    Registers(usize),
    Moves(usize, usize),
    ChangesName(usize),
    Recharges(usize, u32),
    Withdraws(usize, u32),
    Transfers(usize, usize, u32),
    Pays(usize, u32),
}

pub const REGIONS: [&str; 4] = ["seoul", "busan", "jeju", "gyeonggi"];
pub const PEOPLE: [&str; 3] = ["hana", "dul", "set"];

/// Where each lives, by its place in the list of regions, and at which version.
type Homes = [Option<(usize, u64)>; 3];
/// Balance now, wallets, and by day: recharged, number of recharges, balance at its end.
pub type Sums = BTreeMap<&'static str, (i64, u64, BTreeMap<SeoulDay, (u64, u64, i64)>)>;

/// The facts of a history in their true order, and what they come to. Somebody whose registration is not told yet
/// begins with it.
pub fn tell(history: &[(i64, Happening)], begin: Timestamp) -> (Vec<Envelope>, Sums) {
    let mut facts = Vec::new();
    let mut homes: Homes = [None; 3];
    let mut balances = [0_i64; 3];
    let mut recharges: BTreeMap<(&str, SeoulDay), (u64, u64)> = BTreeMap::new();
    let mut ends: BTreeMap<SeoulDay, (Homes, [i64; 3])> = BTreeMap::new();
    let mut at = begin;
    for (number, (after, happening)) in history.iter().enumerate() {
        // What happens in the moment of a move happens after it.
        let moves = matches!(happening, Happening::Moves(..));
        at = at.plus_seconds((*after).max(i64::from(moves)));
        let number = u64::try_from(number).unwrap();
        let (Happening::Registers(who)
        | Happening::Moves(who, _)
        | Happening::ChangesName(who)
        | Happening::Recharges(who, _)
        | Happening::Withdraws(who, _)
        | Happening::Transfers(who, _, _)
        | Happening::Pays(who, _)) = *happening;
        let mut known = vec![who];
        if let Happening::Transfers(_, to, _) = happening {
            known.push(*to);
        }
        for person in known {
            if homes[person].is_none() {
                homes[person] = Some((person, 1));
                facts.push(facts::registered(PEOPLE[person], REGIONS[person], at));
            }
        }
        let (home, version) = homes[who].unwrap();
        let name = PEOPLE[who];
        let affordable = |amount: u32| i64::from(amount) <= balances[who];
        match *happening {
            Happening::Registers(_) => {}
            Happening::Moves(_, to) => {
                homes[who] = Some((to, version + 1));
                facts.push(facts::modified(name, version + 1, REGIONS[to], at));
            }
            Happening::ChangesName(_) => {
                homes[who] = Some((home, version + 1));
                facts.push(facts::modified(name, version + 1, REGIONS[home], at));
            }
            Happening::Recharges(_, amount) => {
                balances[who] += i64::from(amount);
                let (sum, count) = recharges.entry((REGIONS[home], at.seoul_day())).or_default();
                *sum += u64::from(amount);
                *count += 1;
                facts.push(facts::increased(number, name, amount, at));
            }
            Happening::Withdraws(_, amount) if affordable(amount) => {
                balances[who] -= i64::from(amount);
                facts.push(facts::decreased(number, name, amount, at));
            }
            Happening::Transfers(_, to, amount) if to != who && affordable(amount) => {
                balances[who] -= i64::from(amount);
                balances[to] += i64::from(amount);
                facts.push(facts::transferred(number, name, Some(PEOPLE[to]), amount, at));
            }
            Happening::Pays(_, amount) if affordable(amount) => {
                balances[who] -= i64::from(amount);
                facts.push(facts::transferred(number, name, None, amount, at));
            }
            _ => {}
        }
        ends.insert(at.seoul_day(), (homes, balances));
    }
    (facts, sums(homes, balances, &recharges, &ends))
}

fn sums(
    homes: Homes,
    balances: [i64; 3],
    recharges: &BTreeMap<(&str, SeoulDay), (u64, u64)>,
    ends: &BTreeMap<SeoulDay, (Homes, [i64; 3])>,
) -> Sums {
    let lying = |region: usize, homes: &Homes, balances: &[i64; 3]| -> (i64, u64) {
        let here = (0..3).filter(|person| homes[*person].is_some_and(|(home, _)| home == region));
        here.fold((0, 0), |(sum, wallets), person| (sum + balances[person], wallets + 1))
    };
    let of = |(number, region): (usize, &&'static str)| {
        let (balance, wallets) = lying(number, &homes, &balances);
        let days = ends.iter().map(|(day, (homes, balances))| {
            let (sum, count) = recharges.get(&(*region, day.clone())).copied().unwrap_or_default();
            (day.clone(), (sum, count, lying(number, homes, balances).0))
        });
        (*region, (balance, wallets, days.collect()))
    };
    REGIONS.iter().enumerate().map(of).collect()
}
