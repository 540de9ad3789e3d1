//! The classifier: multinomial logistic regression on standardised features.

use std::{collections::BTreeMap, fs, path::Path};

use serde::{Deserialize, Serialize};

/// What weights.json holds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    format: String,
    #[serde(rename = "model_version")]
    pub(crate) version: String,
    features: Vec<String>,
    labels: Vec<String>,
    mean: Vec<f64>,
    scale: Vec<f64>,
    /// One row for each label, one number in it for each feature.
    weights: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    features: Vec<f64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Prediction<'a> {
    pub(crate) label: &'a str,
    /// The label's probability.
    pub(crate) score: f64,
    scores: BTreeMap<&'a str, f64>,
    pub(crate) model_version: &'a str,
}

impl Model {
    pub(crate) fn load(path: &Path) -> Result<Self, String> {
        let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&bytes).map_err(|e| format!("{}: {e}", path.display()))
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let model: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if model.format != "linear-1" {
            return Err(format!("the format is `{}`, this program reads linear-1", model.format));
        }
        model.check_shape()?;
        Ok(model)
    }

    /// The answer to a request, both as JSON.
    pub(crate) fn answer(&self, request: &[u8]) -> Result<String, String> {
        let request: Request = serde_json::from_slice(request).map_err(|e| format!("the request: {e}"))?;
        let prediction = self.predict(&request.features)?;
        serde_json::to_string(&prediction).map_err(|e| e.to_string())
    }

    pub(crate) fn predict(&self, features: &[f64]) -> Result<Prediction<'_>, String> {
        if features.len() != self.features.len() {
            let wanted = self.features.join(", ");
            return Err(format!(
                "{} features given, {} needed: {wanted}",
                features.len(),
                self.features.len()
            ));
        }
        let standardised: Vec<f64> = features
            .iter()
            .zip(&self.mean)
            .zip(&self.scale)
            .map(|((x, mean), scale)| (x - mean) / scale)
            .collect();
        let logits = self.weights.iter().zip(&self.bias).map(|(row, bias)| dot(row, &standardised) + bias);
        let scores = softmax(&logits.collect::<Vec<_>>());
        let best = scores.iter().zip(&self.labels).max_by(|a, b| a.0.total_cmp(b.0));
        let (score, label) = best.ok_or("the model has no labels")?;
        if !score.is_finite() {
            return Err("the features are too large".to_owned());
        }
        let scores = self.labels.iter().map(String::as_str).zip(scores.iter().map(|s| rounded(*s))).collect();
        Ok(Prediction { label, score: rounded(*score), scores, model_version: &self.version })
    }

    fn check_shape(&self) -> Result<(), String> {
        let (features, labels) = (self.features.len(), self.labels.len());
        if features == 0 || labels < 2 {
            return Err("at least one feature and two labels are needed".to_owned());
        }
        let lists =
            [("mean", &self.mean, features), ("scale", &self.scale, features), ("bias", &self.bias, labels)];
        for (name, list, wanted) in lists {
            if list.len() != wanted {
                return Err(format!("{name} has {} numbers, {wanted} are needed", list.len()));
            }
        }
        if self.weights.len() != labels {
            return Err(format!("weights has {} rows, {labels} are needed", self.weights.len()));
        }
        if let Some((row, numbers)) = self.weights.iter().enumerate().find(|(_, row)| row.len() != features) {
            let (row, count) = (row + 1, numbers.len());
            return Err(format!(
                "row {row} of weights has {count} numbers, {features} are needed, one per feature"
            ));
        }
        if self.scale.iter().any(|scale| *scale <= 0.0) {
            return Err("every number of scale must be above 0".to_owned());
        }
        Ok(())
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn softmax(logits: &[f64]) -> Vec<f64> {
    let top = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = logits.iter().map(|x| (x - top).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|p| p / sum).collect()
}

/// Four digits are what the training data is good for.
fn rounded(score: f64) -> f64 {
    (score * 10_000.0).round() / 10_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &[u8] = include_bytes!("../../v1/weights.json");
    const V2: &[u8] = include_bytes!("../../v2/weights.json");
    const V3: &[u8] = include_bytes!("../../v3/weights.json");

    #[test]
    fn the_model_knows_the_three_states() {
        let model = Model::parse(V1).unwrap();
        for (features, label) in [
            ([45.0, 1.2, 3.0, 2.0], "normal"),
            ([60.0, 2.8, 3.8, 1.8], "warning"),
            ([78.0, 5.5, 5.2, 1.3], "fault"),
        ] {
            let prediction = model.predict(&features).unwrap();
            assert_eq!(prediction.label, label);
            assert!(prediction.score > 0.9, "{prediction:?}");
            assert!((prediction.scores.values().sum::<f64>() - 1.0).abs() < 0.001);
        }
    }

    #[test]
    fn the_second_version_answers_differently() {
        let reading = [51.0, 1.9, 3.3, 1.92];
        assert_eq!(Model::parse(V1).unwrap().predict(&reading).unwrap().label, "normal");
        let v2 = Model::parse(V2).unwrap();
        let prediction = v2.predict(&reading).unwrap();
        assert_eq!((prediction.label, prediction.model_version), ("warning", "2.0.0"));
    }

    #[test]
    fn the_third_version_does_not_load_and_says_why() {
        let error = Model::parse(V3).unwrap_err();
        assert_eq!(error, "row 1 of weights has 3 numbers, 4 are needed, one per feature");
    }

    #[test]
    fn wrong_requests_are_explained() {
        let model = Model::parse(V1).unwrap();
        for (request, expected) in [
            (r#"{"features":[1,2]}"#, "2 features given, 4 needed"),
            (r#"{"features":[1,2,3,"x"]}"#, "invalid type"),
            (r#"{"feature":[1]}"#, "unknown field `feature`"),
            ("{", "EOF"),
            (r#"{"features":[1e308,1e308,1e308,-1e308]}"#, "too large"),
        ] {
            let error = model.answer(request.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn weights_of_another_shape_are_refused() {
        let good: serde_json::Value = serde_json::from_slice(V1).unwrap();
        for (field, value) in [
            ("format", serde_json::json!("gguf")),
            ("labels", serde_json::json!([])),
            ("mean", serde_json::json!([1.0])),
            ("scale", serde_json::json!([1, 1, 1, 0])),
            ("bias", serde_json::json!([])),
            ("weights", serde_json::json!([])),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            assert!(Model::parse(bad.to_string().as_bytes()).is_err(), "{field}");
        }
    }
}
