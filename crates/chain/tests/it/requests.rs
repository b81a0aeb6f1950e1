//! What comes over the wire may be anything: the answer is an error of JSON-RPC 2.0, never a panic, and nobody signs or
//! controls anything.

use proptest::prelude::*;
use serde_json::{Value, json};
use waag_chain::embedded::EmbeddedChain;

use crate::common::embedded;

const METHODS: [&str; 26] = [
    "eth_sendRawTransaction",
    "web3_clientVersion",
    "net_version",
    "eth_chainId",
    "eth_accounts",
    "eth_blockNumber",
    "eth_gasPrice",
    "eth_call",
    "eth_estimateGas",
    "eth_getBalance",
    "eth_getTransactionCount",
    "eth_getCode",
    "eth_getStorageAt",
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockReceipts",
    "eth_getTransactionByHash",
    "eth_getTransactionReceipt",
    "eth_getLogs",
    "eth_feeHistory",
    "eth_sendTransaction",
    "evm_snapshot",
    "anvil_setBalance",
    "",
];

async fn ask(chain: &EmbeddedChain, text: &str) -> Value {
    serde_json::from_str(&chain.answer(text.as_bytes()).await.unwrap()).unwrap()
}

#[tokio::test]
async fn malformed_requests_get_the_errors_of_json_rpc() {
    let chain = embedded();
    for (text, code) in [
        ("", -32700),
        ("{", -32700),
        ("\u{0}", -32700),
        ("[]", -32600),
        ("1", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_nothing"}"#, -32601),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{}}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":[]}"#, -32602),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_getBalance","params":["0x12"]}"#, -32602),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"eth_getLogs","params":[{"fromBlock":"0x0","toBlock":"earliest","topics":7}]}"#,
            -32602,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{},"latest",{"0x00":{}}]}"#, -32602),
    ] {
        let answer = ask(&chain, text).await;
        assert_eq!(answer["error"]["code"], code, "{text}: {answer}");
        assert_eq!(answer["jsonrpc"], "2.0");
    }
    let backwards = r#"{"jsonrpc":"2.0","id":"x","method":"eth_getLogs","params":[{"fromBlock":"0x0","toBlock":"0x0","blockHash":null}]}"#;
    assert_eq!(ask(&chain, backwards).await, json!({ "jsonrpc": "2.0", "id": "x", "result": [] }));
}

#[tokio::test]
async fn batches_keep_their_order_and_notifications_get_no_answer() {
    let chain = embedded();
    let batch = r#"[{"jsonrpc":"2.0","id":2,"method":"eth_chainId"},{"jsonrpc":"2.0","method":"eth_chainId"},7,
        {"jsonrpc":"2.0","id":"a","method":"net_version","params":[]}]"#;
    let answer = ask(&chain, batch).await;
    assert_eq!(answer[0], json!({ "jsonrpc": "2.0", "id": 2, "result": "0x7a69" }));
    assert_eq!(answer[1]["error"]["code"], -32600);
    assert_eq!(answer[2], json!({ "jsonrpc": "2.0", "id": "a", "result": "31337" }));
    assert_eq!(chain.answer(br#"{"jsonrpc":"2.0","method":"eth_chainId"}"#).await, None);
    let many = format!("[{}]", vec!["1"; 1_001].join(","));
    assert_eq!(ask(&chain, &many).await["error"]["code"], -32600);
}

#[tokio::test]
async fn nobody_signs_or_controls_anything_over_rpc() {
    let chain = embedded();
    let call = |method: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":[]}}"#);
    assert_eq!(ask(&chain, &call("eth_accounts")).await["result"], json!([]));
    for method in [
        "eth_sendTransaction",
        "eth_sign",
        "eth_signTransaction",
        "personal_unlockAccount",
        "evm_snapshot",
        "evm_revert",
        "evm_increaseTime",
        "evm_mine",
        "anvil_setBalance",
        "anvil_impersonateAccount",
        "hardhat_setCode",
        "admin_peers",
        "debug_traceTransaction",
    ] {
        assert_eq!(ask(&chain, &call(method)).await["error"]["code"], -32601, "{method}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        "\\PC{0,12}".prop_map(Value::from),
        "0x[0-9a-f]{0,70}".prop_map(Value::from),
        "0x[0-9a-f]{40}".prop_map(Value::from),
        "0x[0-9a-f]{64}".prop_map(Value::from),
        prop_oneof![Just("latest"), Just("pending"), Just("earliest"), Just("safe"), Just("finalized")]
            .prop_map(Value::from),
    ];
    let field = prop_oneof![
        Just("from"),
        Just("to"),
        Just("gas"),
        Just("gasPrice"),
        Just("maxFeePerGas"),
        Just("value"),
        Just("data"),
        Just("input"),
        Just("nonce"),
        Just("accessList"),
        Just("authorizationList"),
        Just("type"),
        Just("chainId"),
        Just("fromBlock"),
        Just("toBlock"),
        Just("blockHash"),
        Just("address"),
        Just("topics"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(field.clone(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_request_is_answered(
        method in prop::sample::select(&METHODS[..]),
        params in prop::collection::vec(any_json(), 0..5),
        noise in prop::collection::vec(any::<u8>(), 0..40),
        cut in 0usize..200,
    ) {
        thread_local! {
            static CHAIN: (tokio::runtime::Runtime, EmbeddedChain) = (
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
                embedded(),
            );
        }
        CHAIN.with(|(runtime, chain)| {
            let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
            let answer = runtime.block_on(chain.answer(request.as_bytes())).unwrap();
            let answer: Value = serde_json::from_str(&answer).unwrap();
            let is_error = answer["error"]["code"].is_i64() && answer["error"]["message"].is_string();
            assert!(answer.get("result").is_some() != is_error, "{answer}");
            for broken in [&noise[..], &request.as_bytes()[..cut.min(request.len())]] {
                if let Some(answer) = runtime.block_on(chain.answer(broken)) {
                    serde_json::from_str::<Value>(&answer).unwrap();
                }
            }
        });
    }
}
