//! The cases, one file each, named after the goals.

mod bulk_tcp;
mod connections;
mod few_flows;
mod flagged_port;
mod flow_sweep;
mod frame_sizes;
mod new_flows;
mod program_only;
mod stacks;
mod table;

use anyhow::Result;

use crate::rig::Rig;
use crate::{interrupt, skipped};

/// Name, what it asks, and how it is answered.
pub(crate) type Case = (&'static str, &'static str, fn(&mut Rig) -> Result<()>);

/// All cases, in the order in which they run.
pub(crate) const CASES: [Case; 11] = [
    ("floors", "what each way of forwarding costs, absolutely", table::run),
    (
        "F1",
        "against kernel with connection tracking, few flows, net and whole chain (with F2)",
        few_flows::run,
    ),
    ("F3", "against a policy of 100 nft rules, and whether rules cost anything", few_flows::rules),
    ("F4", "the program alone", program_only::run),
    ("F5", "cost at many flows against cost at one", flow_sweep::run),
    ("F6", "against connection tracking at a million known flows", flow_sweep::against_conntrack),
    ("F7", "bulk TCP between two stacks", bulk_tcp::run),
    ("F8", "connections a second", connections::run),
    ("F9", "what flagging a port for inspection costs other flows", flagged_port::run),
    ("new-flows", "what the first packet of a flow costs", new_flows::run),
    ("sizes", "frame sizes and IPv6", frame_sizes::run),
];

/// Runs the chosen cases; what is missing is said and does not stop the others.
pub(crate) fn run(rig: &mut Rig, chosen: &[String]) -> Result<()> {
    let wanted = |name: &str| {
        // F2 comes out of the same legs as F1.
        chosen.is_empty()
            || chosen.iter().any(|c| c.eq_ignore_ascii_case(name) || (c == "F2" && name == "F1"))
    };
    for (name, asks, case) in CASES {
        if !wanted(name) {
            continue;
        }
        interrupt::check()?;
        eprintln!("{name}: {asks}");
        if let Err(error) = case(rig) {
            interrupt::check()?;
            match skipped::reason_of(&error) {
                Some(reason) => rig.report.missing(name, format!("skipped: {reason}")),
                None => rig.report.missing(name, format!("failed: {error:#}")),
            }
        }
    }
    if rig.slow_share > 0.0 {
        let share = rig.slow_share * 100.0;
        rig.report.note(format!(
            "Where a table is full to its capacity, {share:.2} % of packets at most found no slot of their own in their group and asked the rule base."
        ));
    }
    rig.report.note("nft flowtable as a peer: skipped here unless the kernel has CONFIG_NF_FLOW_TABLE; no case uses it yet.");
    Ok(())
}
