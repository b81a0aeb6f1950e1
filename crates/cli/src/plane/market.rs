//! Our own market on the embedded chain: its contracts, the account that jobs are paid from, and its JSON-RPC.
//!
//! The genesis funds the deployer alone. It puts the contracts there and hands out gas and test dollars, which are worth
//! nothing: once to our own account, and once to each party that is started beside the control plane. Each step has a key
//! in a journal, so a start that was killed goes on where it stopped.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use chain::embedded::{CHAIN_ID, EmbeddedChain, Genesis};
use chain::journal::FileJournal;
use chain::market::{Calls, Deployed, Market, MarketTerms, TokenCalls, hand_out, micros};
use chain::notary::{self, Notary, NotaryTerms};
use chain::sender::{IntentKey, Sender, SenderSettings};
use chain::{Address, U256};
use custody::{EvmSigner, OsEntropy};
use domain::{Clock, Entropy, Millis, Usd};

use crate::failure::{Done, Exit, Failure};
use crate::settings::Settings;

/// The deployer's funds, a number that never runs out: 10^9 of the 18-decimal coin, worth nothing.
const DEPLOYER_ETHER: u64 = 1_000_000_000;
/// Gas for whoever trades, in whole coins.
const GAS_ETHER: u64 = 1_000;
const WEI: u64 = 1_000_000_000_000_000_000;
const WEI_PER_GWEI: u128 = 1_000_000_000;
const DEPLOY_GAS: u64 = 15_000_000;
/// Test dollars for each provider and validator, enough for its stake.
const PARTY_USD: u64 = 10_000;
/// A provider stakes a dollar for each unit, and the price of a lease stands behind it in full.
const STAKE_PER_UNIT: u64 = 1_000_000;
const RESERVE_BPS: u32 = 10_000;
const UNBONDING_SECONDS: u32 = 3_600;
const WINDOW_SECONDS: u32 = 600;
/// A validator stakes a hundred dollars for each unit, a tenth of which stands behind each proof that it is drawn for.
const VALIDATOR_STAKE_PER_UNIT: u64 = 100_000_000;
const VALIDATOR_STAKE_PER_PROOF: u64 = 10_000_000;
/// Validators have this long to replay, and then to say what they found. A verdict takes at most twice of both and the third.
const FINDING_SECONDS: u32 = 120;
const REVEAL_SECONDS: u32 = 30;
const EXCUSE_SECONDS: u32 = 30;

/// The market, while this process runs.
pub(crate) struct EmbeddedMarket {
    pub(crate) chain: EmbeddedChain,
    pub(crate) deployed: Deployed,
    pub(crate) market: Market,
    /// Gives the verdicts.
    pub(crate) notary: Notary,
    /// Sends for the account that jobs are paid from.
    pub(crate) consumer: Arc<Sender>,
    /// That account's key.
    pub(crate) consumer_key: EvmSigner,
    deployer: Sender,
}

impl EmbeddedMarket {
    /// Opens the chain below the data folder, or begins it; what the account has is paid into the market once.
    pub(super) async fn start(settings: &Settings, clock: Arc<dyn Clock>) -> Done<Self> {
        let data = &settings.data;
        let (folder, keys) = (data.join("chain"), data.join("keys"));
        std::fs::create_dir_all(&folder).context("make the chain's folder")?;
        let key = |name: &str| {
            EvmSigner::open(&keys, name, &OsEntropy).with_context(|| format!("open the key {name}"))
        };
        let (deployer, consumer) = (key("deployer.key")?, key("consumer.key")?);
        let mut seed = [0u8; 32];
        OsEntropy.fill(&mut seed);
        let genesis = Genesis {
            chain_id: CHAIN_ID,
            deployer: deployer.address(),
            deployer_wei: ether(DEPLOYER_ETHER),
            seed,
        };
        let chain = EmbeddedChain::open(&folder.join("blocks.redb"), &genesis, clock).map_err(|error| {
            Failure::new(Exit::Failed, "chain", "the embedded chain cannot be opened")
                .why(domain::chain(&error))
                .next("stop the process that has it open, or restore the folder `chain` from a backup")
        })?;
        // The contracts' creation needs more than any transaction of a lease.
        let bounds = |gas_ceiling| bounds(settings.fee_cap_gwei, gas_ceiling);
        let deployer = sender(&chain, deployer, &folder.join("deployer.redb"), bounds(DEPLOY_GAS))?;
        let consumer_key = consumer.clone();
        let consumer = sender(&chain, consumer, &folder.join("consumer.redb"), bounds(settings.gas_ceiling))?;
        let consumer = Arc::new(consumer.with_probe(super::crash::probe(data)));
        let insurance = deployer.address();
        let terms = MarketTerms {
            // The notary, which is deployed with it.
            verifier: Address::ZERO,
            insurance,
            stake_per_unit: STAKE_PER_UNIT,
            reserve_bps: RESERVE_BPS,
            unbonding_period: UNBONDING_SECONDS,
            commit_window: WINDOW_SECONDS,
            verdict_window: WINDOW_SECONDS,
            dispute_window: WINDOW_SECONDS,
        };
        let notary::Deployed { notary, market: deployed, .. } =
            notary::deploy(&deployer, &notary_terms(insurance), &terms).await.context("deploy the market")?;
        let market = Market::open(chain.provider(), deployed.market).await.context("open the market")?;
        let notary = Notary::open(chain.provider(), notary).await.context("open the notary")?;
        let this = Self { chain, deployed, market, notary, consumer, consumer_key, deployer };
        this.fund_consumer(settings.fund).await?;
        Ok(this)
    }

    async fn fund_consumer(&self, fund: Usd) -> Done {
        let amount = micros(fund).unwrap_or_default();
        let (token, market) = (self.deployed.token, self.deployed.market);
        hand_out(&self.deployer, token, self.consumer.address(), ether(GAS_ETHER), amount, "consumer")
            .await
            .context("hand out test dollars")?;
        if amount == 0 {
            return Ok(());
        }
        let approve = TokenCalls { token }.approve(market, amount);
        // Fees of validators are pulled as proofs are opened.
        let fees = TokenCalls { token }.approve(self.notary.address(), u64::MAX);
        for (name, call) in [
            ("fund:approve", approve),
            ("fund:deposit", Calls { market }.deposit(amount / 2)),
            ("fund:fees", fees),
        ] {
            let key = IntentKey(name.to_owned());
            self.consumer.send(&key, &call).await.context("pay into the market")?;
        }
        Ok(())
    }

    /// Gas and test dollars for a provider or a validator, once for each address.
    pub(crate) async fn fund_provider(&self, provider: Address) -> Done {
        let amount = PARTY_USD * 1_000_000;
        let key = provider.to_string();
        let done = hand_out(&self.deployer, self.deployed.token, provider, ether(GAS_ETHER), amount, &key);
        Ok(done.await.context("hand out test dollars to a party")?)
    }
}

fn notary_terms(insurance: Address) -> NotaryTerms {
    NotaryTerms {
        insurance,
        stake_per_unit: VALIDATOR_STAKE_PER_UNIT,
        stake_per_proof: VALIDATOR_STAKE_PER_PROOF,
        min_fee: 1,
        unbonding_period: UNBONDING_SECONDS,
        draw_delay: 1,
        finding_window: FINDING_SECONDS,
        reveal_window: REVEAL_SECONDS,
        excuse_window: EXCUSE_SECONDS,
    }
}

fn ether(whole: u64) -> U256 {
    U256::from(whole) * U256::from(WEI)
}

fn sender(
    chain: &EmbeddedChain,
    signer: EvmSigner,
    journal: &Path,
    settings: SenderSettings,
) -> Done<Sender> {
    let journal = FileJournal::open(journal).context("open a journal of transactions")?;
    Ok(Sender::new(chain.provider(), Arc::new(signer), Arc::new(journal), settings))
}

fn bounds(fee_cap_gwei: u64, gas_ceiling: u64) -> SenderSettings {
    SenderSettings {
        chain_id: CHAIN_ID,
        fee_cap_wei: u128::from(fee_cap_gwei) * WEI_PER_GWEI,
        tip_wei: 0,
        gas_ceiling,
        wait: Millis(8_000),
        poll: Millis(2),
        replace_after: Millis(2_000),
        confirmations: 0,
    }
}
