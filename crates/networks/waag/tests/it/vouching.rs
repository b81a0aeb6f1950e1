//! Whose agent an agent is.

use chain::keccak256;
use custody::{EvmSigner, OsEntropy};
use domain::Label;
use market::{Introduction, Network};

use crate::common::{SPAN_S, Scene};

const STATEMENT: &[u8] = b"waag/hello/1\nan execution\na key\na token's hash\n";

/// An introduction as the lease's provider and its agent make it.
async fn introduction(scene: &Scene, label: &Label) -> Introduction {
    let agent = EvmSigner::mint(&OsEntropy).unwrap();
    let lease = scene.market.digests().lease(&scene.order(label).await);
    Introduction {
        agent: agent.address_text(),
        delegation: scene.provider.sign(scene.market.digests().delegation(lease, agent.address())),
        statement: STATEMENT.to_vec(),
        signature: agent.sign_digest(&keccak256(STATEMENT).0).unwrap().to_vec(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn vouches_for_the_providers_agent_while_the_lease_is_live() {
    let scene = Scene::new().await;
    let label = scene.opened(1).await;
    let shown = introduction(&scene, &label).await;
    assert!(!scene.network.vouches(&label, &shown).await.unwrap(), "nobody has accepted yet");
    scene.accept(&label).await;
    assert!(scene.network.vouches(&label, &shown).await.unwrap());
    let lower = Introduction { agent: shown.agent.to_lowercase(), ..shown.clone() };
    assert!(scene.network.vouches(&label, &lower).await.unwrap());
    scene.pass(SPAN_S);
    assert!(!scene.network.vouches(&label, &shown).await.unwrap(), "its time is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn vouches_for_nobody_else() {
    let scene = Scene::new().await;
    let label = scene.accepted(1).await;
    let good = introduction(&scene, &label).await;
    let others = introduction(&scene, &scene.accepted(2).await).await;
    let lease = scene.market.digests().lease(&scene.order(&label).await);
    let agent = good.agent.parse().unwrap();
    let by_a_stranger = scene.stranger.sign(scene.market.digests().delegation(lease, agent));
    let bad = [
        ("a delegation for another lease", Introduction { agent: others.agent.clone(), ..others.clone() }),
        ("another agent's delegation", Introduction { delegation: others.delegation, ..good.clone() }),
        ("a stranger's delegation", Introduction { delegation: by_a_stranger, ..good.clone() }),
        ("another agent's signature", Introduction { signature: others.signature, ..good.clone() }),
        ("another address", Introduction { agent: others.agent, ..good.clone() }),
        ("no address", Introduction { agent: "0x12".to_owned(), ..good.clone() }),
        ("another statement", Introduction { statement: b"something else".to_vec(), ..good.clone() }),
        ("no signature", Introduction { signature: Vec::new(), ..good.clone() }),
        ("a long delegation", Introduction { delegation: vec![27; 100_000], ..good.clone() }),
    ];
    for (what, introduction) in bad {
        assert!(!scene.network.vouches(&label, &introduction).await.unwrap(), "{what}");
    }
    assert!(scene.network.vouches(&label, &good).await.unwrap());
    scene.network.release(&label).await.unwrap();
    assert!(!scene.network.vouches(&label, &good).await.unwrap(), "the lease has ended");
    assert!(!scene.network.vouches(&crate::common::label(9), &good).await.unwrap(), "there is no such lease");
}
