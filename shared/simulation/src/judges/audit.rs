//! Pay's own audit agrees: it finds nothing where the other judges do not.

use super::Evidence;

pub fn judge(evidence: &Evidence<'_>, findings: &mut Vec<String>) {
    match &evidence.ended.audit {
        None => findings.push("the audit came to no end".to_owned()),
        Some(report) => {
            for finding in report["findings"].as_array().into_iter().flatten() {
                findings.push(format!("{}: {} ({})", finding["rule"], finding["detail"], finding["subject"]));
            }
        }
    }
}
