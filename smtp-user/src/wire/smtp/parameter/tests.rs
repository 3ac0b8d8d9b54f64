//! Parameters, each right and wrong.

use super::{Body, MailParameters, ParameterError, RcptParameters};

#[test]
fn parameters_of_mail() {
    let all = "SIZE=12 BODY=8bitmime SMTPUTF8 REQUIRETLS AUTH=a+40b RET=hdrs ENVID=x+2By BY=120;RT";
    let parameters = MailParameters::parse(all).unwrap();
    assert_eq!((parameters.size, parameters.body), (Some(12), Some(Body::EightBitMime)));
    assert!(
        parameters.smtputf8
            && parameters.requiretls
            && parameters.auth
            && parameters.dsn
            && parameters.deliver_by
    );
    assert_eq!(MailParameters::parse(""), Ok(MailParameters::default()));
    assert_eq!(MailParameters::parse("SIZE=99999999999999999999").unwrap().size, Some(u64::MAX));
    for (text, error) in [
        ("SIZE", ParameterError::Value),
        ("SIZE=", ParameterError::Value),
        ("SIZE=-1", ParameterError::Value),
        ("SIZE=+1", ParameterError::Value),
        ("SIZE=1 SIZE=2", ParameterError::Twice),
        ("SIZE=1 size=1", ParameterError::Twice),
        ("BODY=9BIT", ParameterError::Value),
        ("SMTPUTF8=yes", ParameterError::Value),
        ("REQUIRETLS=no", ParameterError::Value),
        ("AUTH=", ParameterError::Value),
        ("AUTH=a=b", ParameterError::Value),
        ("RET=BODY", ParameterError::Value),
        ("ENVID=a+0", ParameterError::Value),
        ("ENVID=a+0d", ParameterError::Value),
        ("BY=soon;R", ParameterError::Value),
        ("NOTIFY=NEVER", ParameterError::Unknown),
        ("XFOO=bar", ParameterError::Unknown),
        ("=1", ParameterError::Unknown),
    ] {
        assert_eq!(MailParameters::parse(text), Err(error), "{text:?}");
    }
}

#[test]
fn parameters_of_rcpt() {
    for text in ["NOTIFY=NEVER", "NOTIFY=success,FAILURE,Delay ORCPT=rfc822;a+40b", "ORCPT=utf-8;j\u{f6}rg@x"]
    {
        assert!(RcptParameters::parse(text).unwrap().dsn, "{text:?}");
    }
    assert!(!RcptParameters::parse("").unwrap().dsn);
    for (text, error) in [
        ("NOTIFY=", ParameterError::Value),
        ("NOTIFY=NEVER,DELAY", ParameterError::Value),
        ("ORCPT=a@b", ParameterError::Value),
        ("ORCPT=;a", ParameterError::Value),
        ("ORCPT=rfc822;j\u{f6}rg", ParameterError::Value),
        ("SIZE=1", ParameterError::Unknown),
    ] {
        assert_eq!(RcptParameters::parse(text), Err(error), "{text:?}");
    }
}
