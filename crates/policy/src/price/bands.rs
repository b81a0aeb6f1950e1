//! Which prices can be those of a model. What lies outside is held back until a person has looked: a slip of a decimal point or
//! of a unit looks like a bargain.

use domain::{GpuModel, Usd, UsdPerHour};

/// Prices per accelerator and hour that can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Band {
    /// Lower ones are held back.
    pub least: UsdPerHour,
    /// Higher ones are held back.
    pub most: UsdPerHour,
    /// What the band is made from.
    pub source: &'static str,
}

/// How much lower and higher than any price seen one may be.
const BELOW: u32 = 5;
const ABOVE: i64 = 4;

const SEEN: &str = "github.com/romilbhardwaj/skypilot-catalog at 919be2c1a1a2 (to 2024-02-21) and catalogues v8 and v9 of \
    github.com/skypilot-org/skypilot-catalog (undated, 2025 or later), on demand and spot, per accelerator; \
    from a fifth of the least price to four times the highest";
const UNSEEN: &str = "no listed price was seen: from a tenth of a cent to a hundred dollars";

/// The least and the highest price seen per accelerator and hour, in thousandths of a dollar.
const PRICES: [(&str, i64, i64); 32] = [
    ("A10", 113, 5876),
    ("A100", 415, 6202),
    ("A10G", 165, 5940),
    ("A40", 490, 1692),
    ("B200", 1712, 6990),
    ("B300", 2446, 7750),
    ("H100", 801, 13150),
    ("H200", 940, 3900),
    ("K80", 90, 1718),
    ("L4", 223, 1399),
    ("L40", 690, 1761),
    ("L40S", 260, 1747),
    ("M60", 109, 1754),
    ("P100", 206, 2732),
    ("P40", 206, 2277),
    ("RTX-3080", 82, 216),
    ("RTX-3090", 250, 440),
    ("RTX-4000", 679, 702),
    ("RTX-4000-Ada", 390, 390),
    ("RTX-4090", 280, 740),
    ("RTX-5000", 989, 1012),
    ("RTX-5090", 400, 690),
    ("RTX-6000", 500, 500),
    ("RTX-6000-Ada", 370, 1140),
    ("RTX-A4000", 150, 1052),
    ("RTX-A4500", 220, 671),
    ("RTX-A5000", 440, 1202),
    ("RTX-A6000", 490, 1692),
    ("RTX-PRO-6000", 591, 1850),
    ("T4", 52, 6702),
    ("T4G", 56, 1920),
    ("V100", 106, 5348),
];

/// The band of a model.
pub fn band(model: GpuModel) -> Band {
    let milli = |n: i64| UsdPerHour::new(Usd::from_micros(n * 1_000));
    match PRICES.iter().find(|(name, ..)| *name == model.name()) {
        Some((_, least, most)) => Band {
            least: UsdPerHour::new(milli(*least).per_hour().share(BELOW)),
            most: milli(most * ABOVE),
            source: SEEN,
        },
        None => Band { least: milli(1), most: milli(100_000), source: UNSEEN },
    }
}

/// Whether a price per accelerator and hour can be that of the model.
pub fn plausible(model: GpuModel, per_gpu: UsdPerHour) -> bool {
    let Band { least, most, .. } = band(model);
    (least..=most).contains(&per_gpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> GpuModel {
        GpuModel::all().find(|model| model.name() == name).unwrap()
    }

    fn can_be(name: &str, price: &str) -> bool {
        plausible(model(name), price.parse().unwrap())
    }

    #[test]
    fn every_band_belongs_to_a_model_and_is_no_empty_one() {
        for (name, least, most) in PRICES {
            assert!(0 < least && least <= most, "{name}");
            assert_eq!(band(model(name)).source, SEEN);
        }
        assert_eq!(band(model("MI300X")).source, UNSEEN);
    }

    #[test]
    fn a_slip_of_the_decimal_point_or_of_the_unit_is_noticed() {
        assert!(can_be("H100", "0.80") && can_be("H100", "12.29"), "prices that were seen");
        assert!(!can_be("H100", "0.012") && !can_be("H100", "249"), "cents read as dollars");
        assert!(!can_be("H100", "1817"), "a month read as an hour");
        assert!(!can_be("RTX-4090", "0.000078"), "a second read as an hour");
        assert!(!can_be("MI300X", "100.01") && can_be("MI300X", "1.85"));
    }
}
