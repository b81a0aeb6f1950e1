//! One story, told by the embedded chain and by anvil; every line must be the same.

use alloy::consensus::TxEip1559;
use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy::network::TransactionBuilder;
use alloy::primitives::{Address, B256, Bytes, TxKind, U256, address};
use alloy::providers::Provider;
use alloy::rpc::types::{Filter, TransactionReceipt, TransactionRequest};
use alloy::sol_types::{SolCall, SolEvent};
use alloy::transports::{RpcError, TransportErrorKind};

use crate::common::{Anvil, GWEI, Hand, Probe, embedded, probe_code};

const FRIEND: Address = address!("00000000000000000000000000000000000f1e4d");

struct Story {
    hand: Hand,
    probe: Address,
    lines: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_chain_and_anvil_tell_the_same_story() {
    let chain = embedded();
    let anvil = Anvil::start(&[]);
    let ours = Story::tell(Hand::new(chain.provider())).await;
    let theirs = Story::tell(Hand::new(anvil.provider())).await;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours.len(), theirs.len());
    assert!(ours.len() > 60, "the story has {} lines", ours.len());
}

impl Story {
    async fn tell(hand: Hand) -> Vec<String> {
        let mut story = Self { hand, probe: Address::ZERO, lines: Vec::new() };
        story.deploys().await;
        story.sends().await;
        story.calls().await;
        story.fails().await;
        story.estimates().await;
        story.refuses().await;
        story.reads_back().await;
        story.asks_for_logs().await;
        story.lines
    }

    fn say(&mut self, what: &str, value: impl std::fmt::Debug) {
        self.lines.push(format!("{what}: {value:?}"));
    }

    async fn nonce(&self) -> u64 {
        self.hand.provider.get_transaction_count(self.hand.address()).pending().await.unwrap()
    }

    async fn send(&mut self, what: &str, call: impl SolCall) {
        let tx = self.hand.tx(self.nonce().await, self.probe.into(), call.abi_encode().into());
        self.send_tx(what, tx).await;
    }

    async fn send_tx(&mut self, what: &str, tx: TxEip1559) {
        let receipt = self.hand.mined(tx).await;
        self.say(what, told(&receipt));
    }

    async fn deploys(&mut self) {
        let tx = self.hand.tx(0, TxKind::Create, probe_code(7));
        let receipt = self.hand.mined(tx).await;
        self.probe = receipt.contract_address.unwrap();
        self.say("deploy", told(&receipt));
        let code = self.hand.provider.get_code_at(self.probe).await.unwrap();
        self.say("code", code);
        let nothing = self.hand.tx(1, TxKind::Create, Bytes::new());
        self.send_tx("deploy nothing", nothing).await;
        let broken = self.hand.tx(2, TxKind::Create, Bytes::from_static(&[0xfe]));
        self.send_tx("deploy broken code", broken).await;
    }

    async fn sends(&mut self) {
        self.send("add", Probe::addCall { step: U256::from(5) }).await;
        self.send("add again", Probe::addCall { step: U256::from(6) }).await;
        self.send("add too much", Probe::addCall { step: U256::from(101) }).await;
        let note = |times: u64| Probe::noteCall {
            topic: B256::repeat_byte(3),
            data: Bytes::from(vec![1; 77]),
            times: U256::from(times),
        };
        self.send("three notes", note(3)).await;
        self.send("no note", note(0)).await;
        self.send("spawn", Probe::spawnCall { start: U256::from(1) }).await;
        self.send("spawn that fails inside", Probe::spawnCall { start: U256::ZERO }).await;
        self.send("invalid opcode", Probe::failWithInvalidCall {}).await;
        self.send("out of gas", Probe::burnCall {}).await;
        self.send("refund", Probe::forgetCall {}).await;
        let gift = TxEip1559 {
            value: U256::from(12_345),
            ..self.hand.tx(self.nonce().await, FRIEND.into(), Bytes::new())
        };
        self.send_tx("gift", gift).await;
        let through = Probe::sendCall { to: FRIEND }.abi_encode();
        let through = self.hand.tx(self.nonce().await, self.probe.into(), through.into());
        self.send_tx("gift through a contract", TxEip1559 { value: U256::from(5), ..through }).await;
        self.say("friend has", self.hand.provider.get_balance(FRIEND).await.unwrap());
        self.say("nonce", self.nonce().await);
    }

    async fn call(&mut self, what: &str, request: TransactionRequest, block: BlockId) {
        let result = self.hand.provider.call(request).block(block).await;
        match result {
            Ok(output) => self.say(what, output),
            Err(error) => self.say(what, failed(&error)),
        }
    }

    fn request(&self, call: &impl SolCall) -> TransactionRequest {
        TransactionRequest::default()
            .with_from(self.hand.address())
            .with_to(self.probe)
            .with_input(call.abi_encode())
    }

    async fn calls(&mut self) {
        for (name, block) in [("latest", BlockId::latest()), ("pending", BlockId::pending())] {
            let steps = Probe::stepsCall { who: self.hand.address() };
            for request in [
                self.request(&Probe::valueCall {}),
                self.request(&steps),
                self.request(&Probe::addCall { step: U256::from(9) }),
            ] {
                self.call(name, request, block).await;
            }
        }
        let head = self.hand.provider.get_block_number().await.unwrap();
        self.call("at the head", self.request(&Probe::valueCall {}), head.into()).await;
        self.call("beyond the head", self.request(&Probe::valueCall {}), (head + 9).into()).await;
        let output = self.hand.provider.call(self.request(&Probe::surroundingsCall {})).await.unwrap();
        let around = Probe::surroundingsCall::abi_decode_returns(&output).unwrap();
        self.say("number, chain, gas limit", (around._0 - U256::from(head), around._1, around._3));
        let parent = self.hand.provider.get_block_by_number((head - 1).into()).await.unwrap().unwrap();
        self.say("block hash is the parent's", around._4 == parent.header.hash);
        let slot = self.hand.provider.get_storage_at(self.probe, U256::ZERO).await.unwrap();
        self.say("slot", slot);
    }

    async fn fails(&mut self) {
        let latest = BlockId::latest();
        self.call("reason", self.request(&Probe::failWithReasonCall {}), latest).await;
        self.call("panic", self.request(&Probe::failWithPanicCall { by: U256::ZERO }), latest).await;
        self.call("nothing", self.request(&Probe::failWithNothingCall {}), latest).await;
        self.call("invalid", self.request(&Probe::failWithInvalidCall {}), latest).await;
        self.call("custom", self.request(&Probe::addCall { step: U256::from(500) }), latest).await;
        let poor = TransactionRequest::default().with_from(FRIEND).with_to(self.probe).with_value(U256::MAX);
        self.call("no funds", poor, latest).await;
        let short = self.request(&Probe::valueCall {}).with_gas_limit(20_000);
        self.call("intrinsic gas", short, latest).await;
        let dry = self.request(&Probe::spawnCall { start: U256::from(1) }).with_gas_limit(30_000);
        self.call("out of gas", dry, latest).await;
    }

    async fn estimates(&mut self) {
        let plain = TransactionRequest::default()
            .with_from(self.hand.address())
            .with_to(FRIEND)
            .with_value(U256::from(1));
        for (what, request) in [
            ("plain", plain),
            ("add", self.request(&Probe::addCall { step: U256::from(3) })),
            ("custom", self.request(&Probe::addCall { step: U256::from(300) })),
            ("reason", self.request(&Probe::failWithReasonCall {})),
        ] {
            match self.hand.provider.estimate_gas(request).await {
                // The search may end anywhere within its tolerance.
                Ok(gas) => self.say(&format!("estimate {what}"), gas / 2_000),
                Err(error) => self.say(&format!("estimate {what}"), failed(&error)),
            }
        }
    }

    async fn refused(&mut self, what: &str, tx: TxEip1559) -> B256 {
        let (hash, raw) = self.hand.sign(tx).await;
        let result = self.hand.provider.send_raw_transaction(&raw).await;
        let code = match &result {
            Ok(_) => None,
            Err(error) => error.as_error_resp().map(|payload| payload.code),
        };
        self.say(what, code);
        hash
    }

    async fn refuses(&mut self) {
        let next = self.nonce().await;
        let plain = self.hand.tx(next, FRIEND.into(), Bytes::new());
        self.refused("nonce too low", TxEip1559 { nonce: 0, ..plain.clone() }).await;
        self.refused("other chain", TxEip1559 { chain_id: 1, ..plain.clone() }).await;
        self.refused(
            "below base fee",
            TxEip1559 { max_fee_per_gas: 1, max_priority_fee_per_gas: 1, ..plain.clone() },
        )
        .await;
        self.refused("tip above fee", TxEip1559 { max_priority_fee_per_gas: 101 * GWEI, ..plain.clone() })
            .await;
        self.refused("too little gas", TxEip1559 { gas_limit: 20_999, ..plain.clone() }).await;
        self.refused("more gas than a block has", TxEip1559 { gas_limit: 30_000_001, ..plain.clone() }).await;
        self.refused("more gas than EIP-7825 allows", TxEip1559 { gas_limit: 16_777_217, ..plain.clone() })
            .await;
        self.refused("no funds", TxEip1559 { value: U256::from(1u128 << 90), ..plain.clone() }).await;
        let ahead = TxEip1559 { nonce: next + 2, ..plain.clone() };
        self.refused("gap is taken", ahead.clone()).await;
        self.refused("same again", ahead.clone()).await;
        self.refused("underpriced", TxEip1559 { value: U256::from(1), ..ahead.clone() }).await;
        let better = TxEip1559 { max_fee_per_gas: 120 * GWEI, max_priority_fee_per_gas: 2 * GWEI, ..ahead };
        let last = self.refused("replaced", better).await;
        self.say("nonce before the gap is filled", self.nonce().await - next);
        for nonce in [next, next + 1] {
            let filling = TxEip1559 { nonce, ..plain.clone() };
            self.hand.mined(filling).await;
        }
        // It comes in a block of its own or in that of the others, as the chain likes.
        crate::common::receipt(&self.hand.provider, last).await;
        self.say("nonce after", self.nonce().await - next);
        let garbage = self.hand.provider.send_raw_transaction(&[1, 2, 3]).await;
        self.say(
            "garbage",
            garbage.err().and_then(|error| error.as_error_resp().map(|payload| payload.code)),
        );
    }

    async fn reads_back(&mut self) {
        let provider = self.hand.provider.clone();
        let tx = self.hand.tx(
            self.nonce().await,
            self.probe.into(),
            Probe::addCall { step: U256::from(1) }.abi_encode().into(),
        );
        let (hash, raw) = self.hand.sign(tx).await;
        self.say("unknown receipt", provider.get_transaction_receipt(hash).await.unwrap());
        self.say("unknown transaction", provider.get_transaction_by_hash(hash).await.unwrap().is_some());
        let _pending = provider.send_raw_transaction(&raw).await.unwrap();
        let receipt = crate::common::receipt(&provider, hash).await;
        let found = provider.get_transaction_by_hash(hash).await.unwrap().unwrap();
        self.say("sender", found.inner.signer());
        self.say("position", (found.transaction_index, found.block_number == receipt.block_number));
        let block = provider.get_block_by_hash(receipt.block_hash.unwrap()).full().await.unwrap().unwrap();
        self.say("in its block", block.transactions.as_transactions().unwrap()[0].inner.tx_hash() == &hash);
        self.say("bloom", block.header.logs_bloom);
        self.say("transactions root", block.header.transactions_root);
        self.say("receipts root", block.header.receipts_root);
        let parent = provider.get_block_by_hash(block.header.parent_hash).await.unwrap().unwrap();
        let expected = parent.header.next_block_base_fee(alloy::eips::eip1559::BaseFeeParams::ethereum());
        self.say("base fee follows EIP-1559", block.header.base_fee_per_gas == expected);
        self.say("price", receipt.effective_gas_price == u128::from(expected.unwrap()) + GWEI);
        let number = |tag: BlockNumberOrTag| {
            let provider = provider.clone();
            async move { provider.get_block_by_number(tag).await.unwrap().map(|block| block.header.number) }
        };
        let head = provider.get_block_number().await.unwrap();
        self.say("latest", number(BlockNumberOrTag::Latest).await == Some(head));
        self.say("pending", number(BlockNumberOrTag::Pending).await == Some(head + 1));
        self.say("earliest", number(BlockNumberOrTag::Earliest).await);
        self.say("beyond", number(BlockNumberOrTag::Number(head + 5)).await);
        let history = provider.get_fee_history(2, BlockNumberOrTag::Latest, &[50.0]).await.unwrap();
        // anvil fills in the rewards of older blocks at its leisure.
        let tips = history.reward.and_then(|rewards| rewards.last().cloned());
        self.say("fees", (history.base_fee_per_gas.len(), tips, history.oldest_block == head - 1));
        self.say("chain", provider.get_chain_id().await.unwrap());
        self.say("net", provider.get_net_version().await.unwrap());
        self.say("tip", provider.get_max_priority_fee_per_gas().await.unwrap());
    }

    async fn asks_for_logs(&mut self) {
        let all = Filter::new().address(self.probe).from_block(0);
        let filters = [
            ("all", all.clone()),
            ("counted", all.clone().event_signature(Probe::Counted::SIGNATURE_HASH)),
            ("by topic", all.clone().topic1(B256::repeat_byte(3))),
            ("by either", all.clone().topic2(vec![B256::from(U256::from(5)), B256::from(U256::from(6))])),
            ("by nobody", all.clone().address(FRIEND)),
        ];
        for (what, filter) in filters {
            let logs = self.hand.provider.get_logs(&filter).await.unwrap();
            // Not the block: after the gap of `refuses`, the two put different numbers of transactions into one.
            let told: Vec<_> = logs
                .iter()
                .map(|log| (log.inner.clone(), log.log_index, log.transaction_index, log.removed))
                .collect();
            self.say(what, told);
        }
        let beyond = self.hand.provider.get_block_number().await.unwrap() + 7;
        let refused = self.hand.provider.get_logs(&Filter::new().from_block(beyond)).await.err();
        self.say("beyond", refused.as_ref().map(failed).map(|(code, ..)| code));
    }
}

/// What a receipt says, apart from hashes of blocks and prices.
fn told(receipt: &TransactionReceipt) -> impl std::fmt::Debug + use<> {
    let logs: Vec<_> = receipt.logs().iter().map(|log| (log.inner.clone(), log.log_index)).collect();
    (
        (receipt.status(), receipt.gas_used, receipt.inner.cumulative_gas_used(), receipt.transaction_hash),
        (receipt.block_number, receipt.transaction_index, receipt.from, receipt.to, receipt.contract_address),
        (logs, receipt.inner.tx_type()),
    )
}

/// Code, revert data, and the message where it is a reason that the contract gave.
fn failed(error: &RpcError<TransportErrorKind>) -> (i64, Option<Bytes>, Option<String>) {
    let payload = error.as_error_resp().expect("an answer of the chain");
    let data = payload.as_revert_data();
    let reason =
        payload.message.strip_prefix("execution reverted: ").filter(|text| !text.starts_with("custom"));
    (payload.code, data, reason.map(str::to_owned))
}
