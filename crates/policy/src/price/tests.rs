use super::*;

fn token(usd: &str) -> Currency {
    Currency::Token {
        name: "uact".to_owned(),
        usd: usd.to_owned(),
        source: "oracle".to_owned(),
        at: Timestamp(7),
    }
}

fn price(amount: &str, per: Per, currency: &Currency) -> Result<String, PriceError> {
    derive(amount, per, currency).map(|derived| derived.price.to_string())
}

#[test]
fn each_unit_becomes_dollars_per_hour() {
    let usd = &Currency::Usd;
    assert_eq!(price("2.10", Per::Hour, usd).unwrap(), "2.10");
    assert_eq!(price("0.001", Per::Second, usd).unwrap(), "3.60");
    assert_eq!(price("1460", Per::Month, usd).unwrap(), "2.00");
    assert_eq!(price("48", Per::Span(Millis::HOUR.times(24)), usd).unwrap(), "2.00");
    assert_eq!(price("210", Per::Hour, &Currency::UsCents).unwrap(), "2.10");
    // 600 blocks an hour.
    assert_eq!(price("5000", Per::Block(Millis(6_000)), &token("0.000001")).unwrap(), "3.00");
    assert_eq!(price("0.000000000000000001", Per::Second, usd).unwrap(), "0.000001", "rounded up");
}

#[test]
fn the_quoted_price_stands_beside_the_derived_one() {
    let derived = derive("5000", Per::Block(Millis(6_000)), &token("0.000001")).unwrap();
    assert_eq!((derived.quote.amount.as_str(), derived.quote.unit.as_str()), ("5000", "uact/block of 6s"));
    let conversion = derived.quote.conversion.unwrap();
    assert_eq!(
        (conversion.rate.as_str(), conversion.source.as_str(), conversion.at),
        ("0.0006", "oracle", Timestamp(7))
    );
    assert_eq!(derive("2.10", Per::Hour, &Currency::Usd).unwrap().quote.conversion, None);
    assert_eq!(derive("2.10", Per::Month, &Currency::Usd).unwrap().quote.unit, "USD/month");
}

#[test]
fn a_usage_vector_is_priced_by_what_the_job_uses() {
    let vector = [
        Usage { counter: "cpu_s", amount: "0.00001", units_per_hour: 4 * 3_600 },
        Usage { counter: "duration_s", amount: "0.00002", units_per_hour: 3_600 },
        Usage { counter: "start", amount: "0", units_per_hour: 1 },
    ];
    let derived = derive_usage(&vector, &token("0.5")).unwrap();
    assert_eq!(derived.price, "0.108".parse().unwrap());
    assert_eq!(derived.quote.amount, "cpu_s 0.00001 x 14400 + duration_s 0.00002 x 3600 + start 0 x 1");
    assert_eq!(derived.quote.conversion.unwrap().rate, "0.5");
    assert_eq!(derive_usage(&vector[2..], &token("0.5")), Err(PriceError::Zero));
}

#[test]
fn fees_may_be_nothing() {
    assert_eq!(fee("0.08", 25, &Currency::Usd), Ok("2.00".parse().unwrap()));
    // 21,000 gas at 30 gwei and $3,000 for 10^18 wei.
    assert_eq!(fee("0.00000003", 21_000, &token("3000")), Ok("1.89".parse().unwrap()));
    assert_eq!(fee("0", 25, &Currency::Usd), Ok(Usd::ZERO));
}

#[test]
fn what_is_no_price_is_refused() {
    let usd = &Currency::Usd;
    assert_eq!(price("0", Per::Hour, usd), Err(PriceError::Zero));
    assert_eq!(price("0.000", Per::Month, usd), Err(PriceError::Zero));
    assert_eq!(price("-1", Per::Hour, usd), Err(PriceError::Negative("-1".to_owned())));
    for text in ["", ".5", "5.", "1e3", "NaN", "1,5", "$2", "0.0000000000000000001"] {
        assert_eq!(price(text, Per::Hour, usd), Err(PriceError::NotDecimal(text.to_owned())), "{text}");
    }
    assert_eq!(price("1", Per::Block(Millis::ZERO), usd), Err(PriceError::Nothing("block")));
    assert_eq!(price("1", Per::Hour, &token("0")), Err(PriceError::Nothing("rate")));
    assert_eq!(price("99999999999999999999", Per::Second, usd), Err(PriceError::TooLarge));
    assert_eq!(price(&"9".repeat(60), Per::Hour, usd), Err(PriceError::TooLarge));
}

#[test]
fn large_amounts_of_small_tokens_keep_their_price() {
    // A thousand million million of a token of 10^-12 dollars for each second.
    assert_eq!(price("1000000000000000", Per::Second, &token("0.000000000001")).unwrap(), "3600000.00");
}
