use super::*;

fn canonical(text: &str) -> String {
    Gpu::parse(text).map_or_else(|| "unknown".to_owned(), |gpu| gpu.to_string())
}

/// Every spelling of the price catalogue that we measure on, and what it is.
const CATALOGUE: [(&str, &str); 45] = [
    ("A10", "A10"),
    ("A100", "A100"),
    ("A100-40GB", "A100-40GB"),
    ("A100-80GB", "A100-80GB"),
    ("A100-80GB-SXM", "A100-80GB-SXM"),
    ("A10G", "A10G"),
    ("A40", "A40"),
    ("A6000", "RTX-A6000"),
    ("B200", "B200"),
    ("B300", "B300"),
    ("H100", "H100"),
    ("H100-NVL", "H100-NVL"),
    ("H100-PCIe", "H100-PCIe"),
    ("H100-SXM", "H100-SXM"),
    ("H200", "H200"),
    ("K80", "K80"),
    ("L4", "L4"),
    ("L40", "L40"),
    ("L40S", "L40S"),
    ("M60", "M60"),
    ("P100", "P100"),
    ("P4", "P4"),
    ("P40", "P40"),
    ("RTX 3070", "RTX-3070"),
    ("RTX3080", "RTX-3080"),
    ("RTX3090", "RTX-3090"),
    ("RTX4000", "RTX-4000"),
    ("RTX4000-Ada", "RTX-4000-Ada"),
    ("RTX4090", "RTX-4090"),
    ("RTX5000", "RTX-5000"),
    ("RTX5090", "RTX-5090"),
    ("RTX6000", "RTX-6000"),
    ("RTX6000-Ada", "RTX-6000-Ada"),
    ("RTXA4000", "RTX-A4000"),
    ("RTXA4500", "RTX-A4500"),
    ("RTXA5000", "RTX-A5000"),
    ("RTXA6000", "RTX-A6000"),
    ("RTXPRO6000", "RTX-PRO-6000"),
    ("RTXPRO6000S", "RTX-PRO-6000-Server"),
    ("RTXPRO6000WS", "RTX-PRO-6000-Workstation"),
    ("T4", "T4"),
    ("T4g", "T4G"),
    ("V100", "V100"),
    ("V100-32GB", "V100-32GB"),
    ("V100-16GB", "V100-16GB"),
];

/// How drivers, clouds and marketplaces write them elsewhere.
const ELSEWHERE: [(&str, &str); 78] = [
    ("H100-80GB-HBM3", "H100-80GB"),
    ("NVIDIA H100 80GB HBM3", "H100-80GB"),
    ("NVIDIA H100 PCIe", "H100-PCIe"),
    ("h100-sxm", "H100-SXM"),
    ("h100_sxm5_80gb", "H100-SXM"),
    ("H100SXM", "H100-SXM"),
    ("nvidia-h100-mega-80gb", "H100-80GB"),
    ("NVIDIA H100 NVL", "H100-NVL"),
    ("H100-PCIe-NVLink", "H100-PCIe"),
    ("NVIDIA A100-SXM4-80GB", "A100-80GB-SXM"),
    ("NVIDIA A100 80GB PCIe", "A100-80GB-PCIe"),
    ("A100 80 GB", "A100-80GB"),
    ("a10080gb", "A100-80GB"),
    ("A100-PCIE-40GB", "A100-40GB-PCIe"),
    ("nvidia-tesla-a100", "A100"),
    ("Tesla V100-SXM2-32GB", "V100-32GB-SXM"),
    ("Tesla V100-SXM2-16GB", "V100-16GB-SXM"),
    ("TeslaT4", "T4"),
    ("nvidia-l4", "L4"),
    ("NVIDIA L40S", "L40S"),
    ("Tesla P100-PCIE-16GB", "P100-16GB-PCIe"),
    ("NVIDIA GeForce RTX 3090", "RTX-3090"),
    ("RTX_4090", "RTX-4090"),
    ("geforce-rtx-4090", "RTX-4090"),
    ("RTX 3080 Ti", "RTX-3080-Ti"),
    ("RTX 4070S Ti", "RTX-4070-Ti-Super"),
    ("RTX 4070 Ti SUPER", "RTX-4070-Ti-Super"),
    ("RTX 4080S", "RTX-4080-Super"),
    ("GTX 1660 S", "GTX-1660-Super"),
    ("GTX 1080 Ti", "GTX-1080-Ti"),
    ("Titan Xp", "TITAN-Xp"),
    ("NVIDIA TITAN RTX", "TITAN-RTX"),
    ("NVIDIA RTX 6000 Ada Generation", "RTX-6000-Ada"),
    ("RTX 6000Ada", "RTX-6000-Ada"),
    ("NVIDIA RTX 4000 SFF Ada Generation", "RTX-4000-SFF-Ada"),
    ("RTX 5880Ada", "RTX-5880-Ada"),
    ("NVIDIA RTX A6000", "RTX-A6000"),
    ("RTX A5000", "RTX-A5000"),
    ("Quadro RTX 6000", "RTX-6000"),
    ("Q RTX 8000", "RTX-8000"),
    ("Quadro P4000", "Quadro-P4000"),
    ("RTX PRO 6000 WS", "RTX-PRO-6000-Workstation"),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000-Server"),
    ("RTX PRO 6000 Blackwell Max-Q Workstation Edition", "RTX-PRO-6000-MaxQ"),
    ("NVIDIA B200", "B200"),
    ("HGX B200", "B200-SXM"),
    ("NVIDIA GH200 480GB", "GH200-480GB"),
    ("GB200 NVL72", "GB200"),
    ("NVIDIA H200 NVL", "H200-NVL"),
    ("H20-96GB", "H20-96GB"),
    ("AMD Instinct MI300X OAM", "MI300X-OAM"),
    ("MI325X", "MI325X"),
    ("AMD Instinct MI250X", "MI250X"),
    ("mi210", "MI210"),
    ("Radeon Pro V520", "V520"),
    ("Radeon RX 7900 XTX", "RX-7900-XTX"),
    ("Gaudi HL-205", "Gaudi"),
    ("Intel Gaudi 3", "Gaudi3"),
    ("Intel Data Center GPU Max 1550", "Max-1550"),
    ("AWS Inferentia2", "Inferentia2"),
    ("Trainium2", "Trainium2"),
    ("RTXPRO6000-WK", "RTX-PRO-6000-Workstation"),
    ("RTX5060Ti", "RTX-5060-Ti"),
    ("A100_80G", "A100-80GB"),
    ("RTX6000ADA_48GB", "RTX-6000-Ada"),
    ("GH200_96GB", "GH200-96GB"),
    ("H100_PCIE_80GB", "H100-PCIe"),
    ("L40s", "L40S"),
    ("V100-16GB-FHHL", "V100-16GB"),
    ("Quadro RTX 6000 Turing", "RTX-6000"),
    ("TITAN X Pascal", "TITAN-X"),
    ("GRAYSKULL", "Grayskull"),
    ("Gaudi2 HL-225H", "Gaudi2"),
    ("Radeon MI25", "MI25"),
    ("GTX1080Ti", "GTX-1080-Ti"),
    ("TitanV", "TITAN-V"),
    ("RTX 6000 Ada Lovelace", "RTX-6000-Ada"),
    ("trn1", "Trainium"),
];

#[test]
fn every_spelling_has_its_canonical_name() {
    let wrong: Vec<_> = CATALOGUE
        .iter()
        .chain(&ELSEWHERE)
        .filter(|(text, expected)| canonical(text) != *expected)
        .map(|(text, expected)| format!("{text}: {} instead of {expected}", canonical(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_that_differ_by_a_letter_are_different_models() {
    let groups: [&[&str]; 9] = [
        &["A10", "A100", "A10G", "A16", "A2", "RTX A2000"],
        &["L4", "L40", "L40S", "L20", "L2"],
        &["H100", "H200", "H20", "H800", "GH200"],
        &["RTX4000", "RTX4000-Ada", "RTX A4000", "RTX PRO 4000", "RTX 4000 SFF Ada", "Quadro P4000"],
        &["T4", "T4G"],
        &["P4", "P40", "P100", "Quadro P4000"],
        &["RTX 6000", "RTX 6000 Ada", "RTX A6000", "RTX PRO 6000"],
        &["RTX 4070", "RTX 4070 Ti", "RTX 4070 Super", "RTX 4070 Ti Super"],
        &["MI300X", "MI300A", "MI325X", "MI350X", "MI355X"],
    ];
    for group in groups {
        let models: std::collections::BTreeSet<_> =
            group.iter().map(|text| Gpu::parse(text).unwrap_or_else(|| panic!("{text}")).model()).collect();
        assert_eq!(models.len(), group.len(), "{group:?}");
    }
}

#[test]
fn what_is_no_whole_known_chip_stays_unknown() {
    let texts = [
        "",
        "GPU",
        "NVIDIA",
        "80GB",
        "H101",
        "A100 MIG 1g.5gb",
        "A100-MIG-3g.20gb",
        "A10-4Q",
        "RTX 4090 Laptop",
        "RTX 3060 laptop GPU",
        "AMD H100",
        "NVIDIA MI300X",
        "H100 24GB",
        "H100 PCIe SXM5",
        "A100 40GB 80GB",
        "l40g",
        "a100x",
        "H100, A100",
        "8xH100",
        "RTX 6000/8000",
        "H100\u{200b}",
        "none",
        "V100 64GB",
        "H100 NVL 80GB",
        "RTX",
        "4000",
        "m5.large",
        "Gaudi4",
        "A1000",
        "RTX 6000 Blackwell",
        "RTX 4000 Ampere",
        "MI300",
    ];
    for text in texts {
        assert_eq!(Gpu::parse(text), None, "{text}");
    }
    assert_eq!(Gpu::parse(&"H100 ".repeat(40)), None);
}

#[test]
fn a_request_is_met_by_what_it_names_and_not_by_what_is_unknown() {
    let met = |wanted: &str, have: &str| Gpu::parse(wanted).unwrap().met_by(Gpu::parse(have).unwrap());
    assert!(met("H100", "NVIDIA H100 PCIe"));
    assert!(met("H100", "H100-NVL"));
    assert!(met("H100-SXM", "NVIDIA H100 SXM5 80GB HBM3"));
    assert!(!met("H100-SXM", "H100"), "the board is not known");
    assert!(!met("H100-SXM", "H100-PCIe"));
    assert!(!met("A100-80GB", "A100"), "the memory is not known");
    assert!(!met("A100-80GB", "A100-40GB"));
    assert!(met("A100", "A100-40GB"));
    assert!(!met("A100", "A10"));
    assert!(!met("V100-32GB", "V100-16GB"));
}

#[test]
fn a_measured_memory_is_called_by_the_size_that_is_sold() {
    let with = |text: &str, gib: f64| Gpu::parse(text).unwrap().with_memory(gib).map(|gpu| gpu.to_string());
    assert_eq!(with("A100", 79.3), Some("A100-80GB".to_owned()));
    assert_eq!(with("A100", 40.0), Some("A100-40GB".to_owned()));
    assert_eq!(with("H200", 140.4), Some("H200".to_owned()));
    assert_eq!(with("L40S", 45.0), Some("L40S".to_owned()));
    assert_eq!(with("A100", 60.0), None, "no A100 has 60 GiB");
    assert_eq!(with("A100-80GB", 40.0), None, "the name says otherwise");
    assert_eq!(with("H100-NVL", 80.0), None, "an NVL has 94 GiB");
    assert_eq!(with("T4", f64::NAN), None);
}

#[test]
fn boards_tell_the_interconnect() {
    let by = |text: &str| Gpu::parse(text).unwrap().interconnect();
    assert_eq!(by("H100-SXM"), Some(Interconnect::Fabric));
    assert_eq!(by("H100-NVL"), Some(Interconnect::Bridged));
    assert_eq!(by("H100-PCIe"), Some(Interconnect::Pcie));
    assert_eq!(by("H100"), None);
}

#[test]
fn the_table_is_sound() {
    let mut spellings = std::collections::BTreeSet::new();
    for row in &MODELS {
        for spelling in row.spellings {
            assert!(spellings.insert(*spelling), "{spelling} stands twice");
            assert!(spelling.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{spelling}");
        }
    }
    for model in GpuModel::all() {
        let gpu = Gpu::parse(model.name()).unwrap_or_else(|| panic!("{} does not read itself", model.name()));
        assert_eq!(gpu.model(), model);
        for memory in model.memories() {
            let sized = gpu.with_memory(f64::from(*memory)).unwrap();
            for board in [None, Some(GpuBoard::Pcie), Some(GpuBoard::Sxm), Some(GpuBoard::MaxQ)] {
                let one = Gpu { board, ..sized };
                // A board that fixes another size contradicts it.
                if spelling::fixed_memory(model, board).is_none_or(|fixed| fixed == *memory) {
                    assert_eq!(Gpu::parse(&one.to_string()), Some(one), "{one}");
                }
            }
        }
    }
}
