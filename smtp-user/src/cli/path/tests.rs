//! The answer says whether the flow runs, and how a forecast came about.

use smtp_common::packet_path::PathReason;

use super::forecast::{Forecast, Step};
use super::report::Report;
use crate::cli::tuple::FlowTuple;

fn forecast() -> Report {
    let tuple = FlowTuple::parse(&["tcp 10.77.1.2:40000 10.77.2.2:25"]).unwrap();
    let steps = vec![Step { step: "ban", finding: "10.77.1.2 is not banned.".to_owned() }];
    let forecast = Forecast { reason: PathReason::NO_ROUTE, rule: Some("mail".to_owned()), steps };
    Report::of_forecast(tuple, forecast)
}

#[test]
fn a_forecast_names_path_reason_and_steps() {
    let text = forecast().text();
    assert!(
        text.contains("would take the path stack (no_route): No route, or a route that forbids"),
        "{text}"
    );
    assert!(text.contains("  ban        10.77.1.2 is not banned.\n"), "{text}");
}

#[test]
fn json_says_that_there_is_no_flow() {
    let json = serde_json::to_value(forecast()).unwrap();
    assert_eq!(json["flow"], serde_json::Value::Null);
    assert_eq!(json["tuple"], "tcp 10.77.1.2:40000 10.77.2.2:25");
    assert_eq!((json["path"].as_str(), json["rule"].as_str()), (Some("stack"), Some("mail")));
    assert_eq!(json["steps"][0]["step"], "ban");
}
