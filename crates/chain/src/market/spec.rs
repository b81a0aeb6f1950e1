//! What hardware an offer is for, as it stands in the event `OfferPosted`: compact JSON that only this file reads.

use domain::{Accelerators, Hardware, Millis, ProviderName, Region};
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
/// The longest specification that is read.
pub const SPEC_BYTES_MAX: usize = 1_024;
const MODEL_CHARS_MAX: usize = 40;
const ACCELERATORS_MAX: u32 = 1_024;
const CPUS_MILLI_MAX: u32 = 1_000_000;
/// A pebibyte; more is no machine.
const MIB_MAX: u64 = 1 << 30;
const STARTUP_MAX: Millis = Millis(24 * Millis::HOUR.0);

/// The machine behind an offer, in its provider's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// What the provider calls itself.
    pub name: ProviderName,
    /// Where the machine stands, as the provider says.
    pub region: Region,
    /// What one unit has.
    pub hardware: Hardware,
    /// From acceptance to a running agent, as expected.
    pub startup: Millis,
}

/// Bytes are no specification.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Longer than any that is read.
    #[error("the specification has {0} bytes, at most {SPEC_BYTES_MAX} are read")]
    Length(usize),
    /// Not the JSON that it should be.
    #[error("the specification is not JSON of the expected form")]
    Form(#[source] serde_json::Error),
    /// Written by another version.
    #[error("the specification has version {0}, this program reads {VERSION}")]
    Version(u32),
    /// A member is out of bounds.
    #[error("the specification's {0} is out of bounds")]
    Value(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Doc {
    v: u32,
    name: String,
    region: String,
    cpus_milli: u32,
    memory_mib: u64,
    disk_mib: u64,
    accelerators: Option<AcceleratorsDoc>,
    startup_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceleratorsDoc {
    model: String,
    count: u32,
}

impl Spec {
    /// As it goes on chain.
    ///
    /// # Errors
    /// When it is none that [`Self::from_bytes`] would take.
    pub fn to_bytes(&self) -> Result<Vec<u8>, SpecError> {
        let accelerators = self.hardware.accelerators.as_ref();
        let doc = Doc {
            v: VERSION,
            name: self.name.to_string(),
            region: self.region.to_string(),
            cpus_milli: self.hardware.cpus_milli,
            memory_mib: self.hardware.memory_mib,
            disk_mib: self.hardware.disk_mib,
            accelerators: accelerators.map(|a| AcceleratorsDoc { model: a.model.clone(), count: a.count }),
            startup_ms: self.startup.0,
        };
        let bytes = serde_json::to_vec(&doc).map_err(SpecError::Form)?;
        Self::from_bytes(&bytes).map(|_| bytes)
    }

    /// Reads what a stranger wrote.
    ///
    /// # Errors
    /// When it is no specification, or one that no machine has or that could confuse a terminal.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SpecError> {
        if bytes.len() > SPEC_BYTES_MAX {
            return Err(SpecError::Length(bytes.len()));
        }
        let doc: Doc = serde_json::from_slice(bytes).map_err(SpecError::Form)?;
        if doc.v != VERSION {
            return Err(SpecError::Version(doc.v));
        }
        let within = |fits: bool, member| fits.then_some(()).ok_or(SpecError::Value(member));
        within((1..=CPUS_MILLI_MAX).contains(&doc.cpus_milli), "cpus_milli")?;
        within((1..=MIB_MAX).contains(&doc.memory_mib), "memory_mib")?;
        within(doc.disk_mib <= MIB_MAX, "disk_mib")?;
        within(doc.startup_ms <= STARTUP_MAX.0, "startup_ms")?;
        let accelerators = doc.accelerators.map(|a| Accelerators { model: a.model, count: a.count });
        within(accelerators.as_ref().is_none_or(fit_a_machine), "accelerators")?;
        let name = doc.name.parse().map_err(|_| SpecError::Value("name"))?;
        let region = doc.region.parse().map_err(|_| SpecError::Value("region"))?;
        let Doc { cpus_milli, memory_mib, disk_mib, startup_ms, .. } = doc;
        let hardware = Hardware { cpus_milli, memory_mib, disk_mib, accelerators };
        Ok(Self { name, region, hardware, startup: Millis(startup_ms) })
    }
}

fn fit_a_machine(accelerators: &Accelerators) -> bool {
    let model = &accelerators.model;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MODEL_CHARS_MAX).contains(&model.len())
        && model.bytes().all(plain)
        && (1..=ACCELERATORS_MAX).contains(&accelerators.count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(accelerators: Option<Accelerators>) -> Spec {
        Spec {
            name: "mill-7".parse().unwrap(),
            region: "EU-DE".parse().unwrap(),
            hardware: Hardware { cpus_milli: 2_000, memory_mib: 4_096, disk_mib: 10_000, accelerators },
            startup: Millis(2_000),
        }
    }

    fn with(change: &str, to: &str) -> Vec<u8> {
        let text = String::from_utf8(spec(None).to_bytes().unwrap()).unwrap();
        assert!(text.contains(change), "{text}");
        text.replace(change, to).into_bytes()
    }

    #[test]
    fn spec_comes_back_from_its_bytes() {
        let h100 = Accelerators { model: "H100".to_owned(), count: 8 };
        for spec in [spec(None), spec(Some(h100))] {
            assert_eq!(Spec::from_bytes(&spec.to_bytes().unwrap()).unwrap(), spec);
        }
    }

    #[test]
    fn spec_text_stays_what_it_is() {
        // It is hashed on chain, and other programs read it.
        let text = r#"{"v":1,"name":"mill-7","region":"EU-DE","cpus_milli":2000,"memory_mib":4096,"disk_mib":10000,"accelerators":null,"startup_ms":2000}"#;
        assert_eq!(spec(None).to_bytes().unwrap(), text.as_bytes());
    }

    #[test]
    fn spec_of_a_stranger_is_read_with_care() {
        let refused = |bytes: &[u8]| Spec::from_bytes(bytes).unwrap_err().to_string();
        assert!(refused(&[b' '; SPEC_BYTES_MAX + 1]).contains("1025 bytes"));
        for form in [&b""[..], b"null", b"[]", b"\xff", b"{\"v\":1}", &[b'['; 1_000]] {
            assert!(refused(form).contains("expected form"), "{form:?}");
        }
        assert!(refused(&with("{", r#"{"more":1,"#)).contains("expected form"));
        assert!(refused(&with(r#""v":1"#, r#""v":2"#)).contains("version 2"));
        let model = |text: &str| with("null", &format!(r#"{{"model":"{text}","count":1}}"#));
        for (member, bytes) in [
            ("name", with("mill-7", r"\u001b[2J")),
            ("name", with("mill-7", "")),
            ("region", with("EU-DE", "EU DE")),
            ("cpus_milli", with("2000,\"memory", "0,\"memory")),
            ("memory_mib", with("4096", "18446744073709551615")),
            ("startup_ms", with(":2000}", ":86400001}")),
            ("accelerators", model("")),
            ("accelerators", model(r"H100\n")),
            ("accelerators", model(&"H".repeat(41))),
            ("accelerators", with("null", r#"{"model":"H100","count":0}"#)),
        ] {
            assert!(refused(&bytes).contains(member), "{member}");
        }
    }
}
