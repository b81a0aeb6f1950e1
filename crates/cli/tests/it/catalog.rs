//! Price catalogues on the command line: what is relied on, what is held back, and what is shown of it.

use serde_json::{Value, json};

use crate::common::World;

const HEADER: &str = "provider,instance_type,gpu,gpu_count,gpu_mem_gib,region,price_usd_hour,spot_price_usd_hour,as_of,price_scope";

fn catalog(rows: &[&str]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn refused(world: &World, args: &[&str]) -> (i32, String) {
    let output = world.waag(args);
    let error: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), error["code"].as_str().unwrap().to_owned())
}

#[test]
fn catalog_is_checked_imported_and_looked_through() {
    let world = World::new();
    let rows = [
        "aws,p5,H100-SXM,8,80,eu-north-1,55.04,10.00,2026-01-02,instance",
        "aws,p5,H100-SXM,8,80,eu-west-2,40.00,,2026-01-02,instance",
        "lambda,h,NVIDIA H100 PCIe,1,80,europe-central-1,2.49,,2026-01-02,instance",
        "lambda,h,NVIDIA H100 PCIe,1,80,europe-central-1,1.49,,2025-01-02,instance",
        "vast,x,H100 NVL,8,94,\"Finland, FI, EU\",16.00,,2026-01-02,instance",
        "vast,y,H100,8,80,\"Finland, FI, EU\",0,,2026-01-02,instance",
        "vast,z,H100,8,80,\"Finland, FI, EU\",0.08,,2026-01-02,instance",
        "vast,z,H101,8,80,\"Finland, FI, EU\",16.00,,2026-01-02,accelerator_only",
    ];
    let file = world.file("prices.csv", &catalog(&rows));
    let path = file.to_str().unwrap();
    let check = world.json(&["catalog", "check", path]);
    assert_eq!((&check["rows"], &check["listings"]), (&json!(8), &json!(6)));
    assert_eq!(check["held"], json!({ "absurd_price": 1, "unknown_gpu": 1, "zero_price": 1 }));
    assert_eq!(check["unknown_gpus"], json!(["H101"]));
    assert_eq!(check["held_rows"][2]["line"], json!(9));

    assert_eq!(refused(&world, &["offers", "--gpu", "H100", "--json"]), (4, "no_catalog".to_owned()));
    world.json(&["catalog", "import", path]);
    let found = |args: &[&str]| -> Vec<(String, String)> {
        let args: Vec<&str> = ["offers"].iter().chain(args).copied().collect();
        let offers = world.json(&args)["offers"].as_array().unwrap().clone();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        offers.iter().map(|one| (text(&one["instance_type"]), text(&one["total_usd"]))).collect()
    };
    let pairs = |all: &[(&str, &str)]| -> Vec<(String, String)> {
        all.iter().map(|(name, total)| ((*name).to_owned(), (*total).to_owned())).collect()
    };
    // Eight H100 in the European Union; London is not in it.
    assert_eq!(
        found(&["--gpu", "H100:8", "--regions", "EU", "--sort", "total"]),
        pairs(&[("p5", "10.00"), ("x", "16.00"), ("p5", "55.04")])
    );
    assert_eq!(
        found(&["--gpu", "H100:8", "--regions", "EU", "--max-price", "2.0", "--on-demand", "--hours", "3"]),
        pairs(&[("x", "48.00")])
    );
    // Of two days the last.
    assert_eq!(found(&["--gpu", "H100-PCIe"]), pairs(&[("h", "2.49")]));
    let csv = world.waag(&["offers", "--gpu", "H100-NVL", "--csv"]);
    let text = String::from_utf8(csv.stdout).unwrap();
    assert!(text.lines().nth(1).unwrap().contains(",EU-FI,\"Finland, FI, EU\","), "{text}");
    assert_eq!(text.lines().count(), 2);
}

#[test]
fn a_catalogue_that_cannot_be_used_is_refused_and_not_imported() {
    let world = World::new();
    let with = |name: &str, text: &str| world.file(name, text).to_str().unwrap().to_owned();
    let check = |path: &str| refused(&world, &["catalog", "check", path, "--json"]);
    assert_eq!(check(&with("empty.csv", "")), (2, "catalog_unusable".to_owned()));
    assert_eq!(check(&with("other.csv", "a,b\n1,2\n")), (2, "catalog_unusable".to_owned()));
    assert_eq!(check("nowhere.csv"), (2, "catalog_unreadable".to_owned()));
    let held = with("held.csv", &catalog(&["vast,y,H100,8,80,FI,0,,,instance"]));
    assert_eq!(refused(&world, &["catalog", "import", &held, "--json"]), (2, "catalog_unusable".to_owned()));
    assert_eq!(refused(&world, &["offers", "--gpu", "H100", "--json"]), (4, "no_catalog".to_owned()));
    let unknown = world.waag(&["offers", "--gpu", "H101"]);
    assert_eq!(unknown.status.code(), Some(2));
}
