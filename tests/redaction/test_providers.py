"""Keys of many providers, drawn by chance in the shape each describes, in the places where keys turn up."""

from __future__ import annotations

import random
import string

import pytest

from otel_tool_audit.redaction import Sanitizer

HEX = "0123456789abcdef"
HEX_UPPER = "0123456789ABCDEF"
ALNUM = string.ascii_letters + string.digits
LOWER = string.ascii_lowercase + string.digits
UPPER = string.ascii_uppercase + string.digits
URL = ALNUM + "-_"
B64 = ALNUM + "+/"
BASE32 = string.ascii_uppercase + "234567"
BECH32 = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
DIGITS = string.digits

# family: literal parts, and (alphabet, length) for what is drawn
SHAPES: dict[str, tuple[str | tuple[str, int], ...]] = {
    "adobe": ("p8e-", (LOWER, 32)),
    "age": ("AGE-SECRET-KEY-1", (BECH32, 58)),
    "airtable": ("pat", (ALNUM, 14), ".", (HEX, 64)),
    "alibaba": ("LTAI", (ALNUM, 20)),
    "anthropic": ("sk-ant-api03-", (URL, 93), "AA"),
    "anthropic-admin": ("sk-ant-admin01-", (URL, 93), "AA"),
    "artifactory": ("AKCp", (ALNUM, 69)),
    "artifactory-reference": ("cmVmd", (ALNUM, 59)),
    "atlassian": ("ATATT3", (URL, 186)),
    "aws": ("AKIA", (BASE32, 16)),
    "aws-session": ("ASIA", (BASE32, 16)),
    "aws-bedrock": ("ABSK", (B64, 128)),
    "azure": ((ALNUM, 3), "8Q~", (ALNUM, 34)),
    "clickhouse": ("4b1d", (ALNUM, 38)),
    "clojars": ("CLOJARS_", (LOWER, 60)),
    "cloudflare-origin": ("v1.0-", (HEX, 24), "-", (HEX, 146)),
    "databricks": ("dapi", (HEX, 32)),
    "defined-networking": ("dnkey-", (LOWER, 26), "-", (LOWER, 52)),
    "digitalocean": ("dop_v1_", (HEX, 64)),
    "digitalocean-oauth": ("doo_v1_", (HEX, 64)),
    "discord-bot": ("MT", (ALNUM, 24), ".G", (ALNUM, 5), ".", (URL, 38)),
    "docker": ("dckr_pat_", (URL, 27)),
    "doppler": ("dp.pt.", (ALNUM, 43)),
    "duffel": ("duffel_test_", (URL, 43)),
    "dynatrace": ("dt0c01.", (UPPER, 24), ".", (UPPER, 64)),
    "easypost": ("EZAK", (ALNUM, 54)),
    "facebook": ("EAAC", (ALNUM, 150)),
    "flutterwave": ("FLWSECK_TEST-", (HEX, 32), "-X"),
    "flyio": ("fo1_", (URL, 43)),
    "frameio": ("fio-u-", (URL, 64)),
    "gcp": ("AIzaSy", (URL, 33)),
    "github": ("ghp_", (ALNUM, 36)),
    "github-app": ("ghs_", (ALNUM, 36)),
    "github-fine": ("github_pat_", (ALNUM, 22), "_", (ALNUM, 59)),
    "gitlab": ("glpat-", (URL, 20)),
    "gitlab-deploy": ("gldt-", (URL, 20)),
    "gitlab-feed": ("glft-", (URL, 20)),
    "gitlab-runner": ("glrt-", (URL, 20)),
    "gitlab-trigger": ("glptt-", (HEX, 40)),
    "gocardless": ("live_", (URL, 40)),
    "google-oauth": ("ya29.a0", (URL, 120)),
    "grafana-cloud": ("glc_eyJ", (B64, 80)),
    "grafana-service": ("glsa_", (ALNUM, 32), "_", (HEX, 8)),
    "grafana-api": ("eyJrIjoi", (B64, 70)),
    "groq": ("gsk_", (ALNUM, 52)),
    "harness": ("pat.", (ALNUM, 22), ".", (HEX, 24), ".", (ALNUM, 20)),
    "heroku": ("HRKU-AA", (URL, 58)),
    "hubspot": ("pat-na1-", (HEX, 8), "-", (HEX, 4), "-", (HEX, 4), "-", (HEX, 4), "-", (HEX, 12)),
    "huggingface": ("hf_", (string.ascii_letters, 34)),
    "infracost": ("ico-", (ALNUM, 32)),
    "intra42": ("s-s4t2ud-", (HEX, 64)),
    "linear": ("lin_api_", (ALNUM, 40)),
    "mailchimp": ((HEX, 32), "-us20"),
    "mailgun": ("key-", (HEX, 32)),
    "mapbox": ("pk.", (LOWER, 60), ".", (LOWER, 22)),
    "maxmind": ((ALNUM, 6), "_", (ALNUM, 29), "_mmk"),
    "newrelic": ("NRAK-", (UPPER, 27)),
    "newrelic-browser": ("NRJS-", (HEX, 19)),
    "newrelic-insert": ("NRII-", (URL, 32)),
    "notion": ("ntn_", (DIGITS, 11), (ALNUM, 35)),
    "npm": ("npm_", (LOWER, 36)),
    "nuget": ("oy2", (LOWER, 43)),
    "nvidia": ("nvapi-", (URL, 64)),
    "octopus": ("API-", (UPPER, 26)),
    "1password": ("A3-", (UPPER, 6), "-", (UPPER, 11), "-", (UPPER, 5), "-", (UPPER, 5), "-", (UPPER, 5)),
    "1password-service": ("ops_eyJ", (B64, 260)),
    "openai": ("sk-", (ALNUM, 20), "T3BlbkFJ", (ALNUM, 20)),
    "openai-project": ("sk-proj-", (URL, 74), "T3BlbkFJ", (URL, 74)),
    "openrouter": ("sk-or-v1-", (HEX, 64)),
    "openshift": ("sha256~", (URL, 43)),
    "perplexity": ("pplx-", (ALNUM, 48)),
    "plaid": ("access-sandbox-", (HEX, 8), "-", (HEX, 4), "-", (HEX, 4), "-", (HEX, 4), "-", (HEX, 12)),
    "planetscale": ("pscale_tkn_", (URL, 43)),
    "postman": ("PMAK-", (HEX, 24), "-", (HEX, 34)),
    "prefect": ("pnu_", (LOWER, 36)),
    "pulumi": ("pul-", (HEX, 40)),
    "pypi": ("pypi-AgEIcHlwaS5vcmc", (URL, 80)),
    "readme": ("rdme_", (LOWER, 70)),
    "replicate": ("r8_", (ALNUM, 37)),
    "resend": ("re_", (ALNUM, 8), "_", (ALNUM, 24)),
    "rubygems": ("rubygems_", (HEX, 48)),
    "scalingo": ("tk-us-", (URL, 48)),
    "sendgrid": ("SG.", (URL, 22), ".", (URL, 43)),
    "sendinblue": ("xkeysib-", (HEX, 64), "-", (LOWER, 16)),
    "sentry-user": ("sntryu_", (HEX, 64)),
    "settlemint": ("sm_pat_", (ALNUM, 16)),
    "shippo": ("shippo_live_", (HEX, 40)),
    "shopify": ("shpat_", (HEX, 32)),
    "slack-bot": ("xoxb-", (DIGITS, 12), "-", (DIGITS, 12), "-", (ALNUM, 24)),
    "slack-user": ("xoxp-", (DIGITS, 12), "-", (DIGITS, 12), "-", (DIGITS, 12), "-", (HEX, 32)),
    "slack-hook": ("https://hooks.slack.com/services/T", (UPPER, 8), "/B", (UPPER, 10), "/", (ALNUM, 24)),
    "sonar": ("squ_", (HEX, 40)),
    "sourcegraph": ("sgp_", (HEX, 40)),
    "square": ("sq0atp-", (URL, 22)),
    "stripe": ("sk_live_", (ALNUM, 24)),
    "stripe-restricted": ("rk_live_", (ALNUM, 24)),
    "stripe-webhook": ("whsec_", (ALNUM, 32)),
    "supabase": ("sbp_", (HEX, 40)),
    "telegram": ((DIGITS, 10), ":AA", (URL, 33)),
    "terraform": ((ALNUM, 14), ".atlasv1.", (URL, 67)),
    "twilio": ("SK", (HEX, 32)),
    "typeform": ("tfp_", (URL, 59)),
    "vault": ("hvs.", (URL, 95)),
    "vault-batch": ("hvb.", (URL, 140)),
    "xai": ("xai-", (ALNUM, 80)),
    "yandex": ("AQVN", (URL, 37)),
}  # fmt: skip
PLACES = (
    "{}",
    "the key is {} as far as I know",
    "export FOO={}",
    '{{"value": "{}"}}',
    "curl 'https://example.com/v1?x={}&y=1'",
    "failed with ({}), see the log\n",
    "tried '{}'.",
)


def draw(family: str, chance: random.Random) -> str:
    """Draw a key of this family."""
    return "".join(part if isinstance(part, str) else "".join(chance.choices(part[0], k=part[1])) for part in SHAPES[family])


@pytest.mark.parametrize("family", SHAPES)
def test_a_providers_key_goes_wherever_it_stands(family: str) -> None:
    """A key drawn by chance leaves no trace of itself in any of the places."""
    sanitizer, chance = Sanitizer(), random.Random(family)
    left = []
    for place in PLACES:
        for _ in range(5):
            key = draw(family, chance)
            if key[4:] in sanitizer.text(place.format(key)).value:
                left.append((place, key))
    assert len(left) <= 1, f"{len(left)} of {5 * len(PLACES)} stayed, such as {left[:3]}"


def test_identifiers_give_up_secrets_too() -> None:
    """What skips the rules for personal data does not skip those for secrets."""
    chance = random.Random(3)
    for family in ("aws", "github", "openai", "slack-bot", "stripe"):
        key = draw(family, chance)
        assert key not in Sanitizer().identifier(f"user-{key}").value or key not in Sanitizer().identifier(key).value
