//! Where clouds' region names are: an area, then a country's ISO 3166 code, then for the United States the state.
//!
//! `EU` holds the member states of the European Union and nothing else, so that a rule about data keeps its meaning; the rest of
//! Europe is `EUROPE`. A name that does not tell where a machine stands has no place, and fits no rule about places.
//!
//! Sources: the providers' own lists of regions, as their documentation named them in 2025. One name means different places at
//! different providers (`FRA` is Frankfurt at one, France at another), so short names are looked up per provider.

mod tables;

use domain::Region;

use self::tables::{AFRICA, ASIA, EU, EUROPE, LATIN_AMERICA, MIDDLE_EAST, NAMED, OCEANIA, WORDS};

/// Where the provider's region is; `None` where its name does not tell.
pub fn place_of(provider: &str, region: &str) -> Option<Region> {
    let lower = region.trim().to_lowercase();
    if let Some((_, names)) = NAMED.iter().find(|(name, _)| *name == provider) {
        let name = |text: &str| names.iter().find(|(name, _)| *name == text).map(|(_, place)| *place);
        // A zone is a region with a letter or a number more.
        let zone =
            || lower.rsplit_once('-').filter(|(_, letter)| letter.len() == 1).map(|(region, _)| region);
        let site = || lower.trim_end_matches(|c: char| c.is_ascii_digit());
        if let Some(place) = name(&lower).or_else(|| name(zone()?)).or_else(|| name(site())) {
            return placed(place);
        }
    }
    // "Bavaria, DE, EU": place, country, continent.
    let parts: Vec<&str> = region.split(',').map(str::trim).collect();
    if let [.., country, continent] = parts[..]
        && continent.len() == 2
    {
        return placed(country);
    }
    if lower.len() == 2 {
        return placed(&region.trim().to_ascii_uppercase());
    }
    let mut words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    // "gb-london-1": the country first.
    if let Some(first) = lower.split('-').next()
        && first.len() == 2
        && lower.matches('-').count() == 2
        && provider == "cudo"
    {
        return placed(&first.to_ascii_uppercase());
    }
    words.find_map(|word| WORDS.iter().find(|(name, _)| *name == word)).and_then(|(_, place)| placed(place))
}

/// A country, perhaps with a state, in its area.
fn placed(place: &str) -> Option<Region> {
    let country = place.split('-').next()?;
    let areas: [(&str, &[&str]); 7] = [
        ("EU", &EU),
        ("EUROPE", &EUROPE),
        ("ASIA", &ASIA),
        ("ME", &MIDDLE_EAST),
        ("AFRICA", &AFRICA),
        ("LATAM", &LATIN_AMERICA),
        ("OCEANIA", &OCEANIA),
    ];
    let text = match country {
        "US" => place.to_owned(),
        "CA" => "CANADA".to_owned(),
        "UK" => "EUROPE-GB".to_owned(),
        _ => {
            let (area, _) = areas.iter().find(|(_, countries)| countries.contains(&country))?;
            format!("{area}-{place}")
        }
    };
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_where_their_providers_say() {
        let cases = [
            ("aws", "us-east-1", "US-VA"),
            ("aws", "eu-west-2", "EUROPE-GB"),
            ("aws", "eu-central-1", "EU-DE"),
            ("gcp", "europe-west6", "EUROPE-CH"),
            ("gcp", "us-central1-a", "US-IA"),
            ("azure", "westus3", "US-AZ"),
            ("oci", "eu-zurich-1", "EUROPE-CH"),
            ("ovhcloud", "FRA", "EU-DE"),
            ("ovhcloud", "GRA11", "EU-FR"),
            ("verda", "FIN-02", "EU-FI"),
            ("vast", "Bavaria, DE, EU", "EU-DE"),
            ("vast", ", US, NA", "US"),
            ("vast", "Norway, NO, EU", "EUROPE-NO"),
            ("vast", "Alberta, CA, NA", "CANADA"),
            ("runpod", "CZ", "EU-CZ"),
            ("lium", "UA", "EUROPE-UA"),
            ("spheron", "Finland 3", "EU-FI"),
            ("spheron", "paris-france-1", "EU-FR"),
            ("spheron", "calgary-canada-1", "CANADA"),
            ("hyperstack", "NORWAY-1", "EUROPE-NO"),
            ("hyperstack", "US-1", "US"),
            ("cudo", "gb-london-1", "EUROPE-GB"),
            ("cudo", "se-stockholm-1", "EU-SE"),
            ("fluidstack", "nevada_1_usa", "US"),
            ("nebius", "eu-north1", "EU-FI"),
            ("scp", "KOREA-WEST-1-SCP-B001", "ASIA-KR"),
            ("aws", "sa-east-1", "LATAM-BR"),
            ("aws", "me-south-1", "ME-BH"),
            ("aws", "af-south-1", "AFRICA-ZA"),
            ("aws", "ap-southeast-2", "OCEANIA-AU"),
        ];
        for (provider, region, place) in cases {
            assert_eq!(
                place_of(provider, region).map(|p| p.to_string()).as_deref(),
                Some(place),
                "{provider} {region}"
            );
        }
    }

    #[test]
    fn a_name_that_does_not_tell_has_no_place() {
        let cases = [
            ("hyperbolic", "default"),
            ("primeintellect", "FRA"),
            ("primeintellect", "MON1"),
            ("x", "eu-north-9"),
            ("x", ""),
            ("x", "XX"),
        ];
        for (provider, region) in cases {
            assert_eq!(place_of(provider, region), None, "{provider} {region}");
        }
    }
}
