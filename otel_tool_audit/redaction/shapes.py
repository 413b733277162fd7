"""
The shapes of keys that services give out: a prefix nobody writes by chance, and a generated body.

One line a shape: rule, literal that must stand in the text, pattern (group 1 is the body, where only a part is generated),
least entropy of the body in bits a character. No pattern looks around itself or back, so an automaton can run each in linear time.

Source: the services' own documentation of their key formats; RFC 7519 (JWT).
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple


class Shape(NamedTuple):
    """
    One kind of key.

    Attributes:
        rule: Its name in ``redactions``.
        literal: What stands in every text that holds one.
        pattern: Matches the key; group 1, where there is one, is what must look generated.
        bits: Least entropy of that, in bits a character.
    """

    rule: str
    literal: str
    pattern: re.Pattern[str]
    bits: float


_U: Final = "[A-Za-z0-9_-]"
_A: Final = "[A-Za-z0-9]"
_H: Final = "[0-9a-f]"
_B: Final = "[A-Za-z0-9+/]"
_UUID: Final = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

_MODELS: Final = (
    ("anthropic-api-key", "sk-ant-", f"sk-ant-({_U}{{16,240}})", 3.0),
    ("openrouter-api-key", "sk-or-", f"sk-or-({_U}{{16,120}})", 3.0),
    ("openai-api-key", "sk-", f"sk-({_U}{{14,250}})", 3.0),
    ("openai-session-key", "sess-", f"sess-({_A}{{40,60}})", 3.5),
    ("huggingface-token", "hf_", f"hf_({_A}{{28,60}})", 3.5),
    ("huggingface-token", "api_org_", f"api_org_({_A}{{28,60}})", 3.5),
    ("replicate-api-token", "r8_", f"r8_({_A}{{32,44}})", 3.5),
    ("groq-api-key", "gsk_", f"gsk_({_A}{{32,80}})", 3.5),
    ("perplexity-api-key", "pplx-", f"pplx-({_A}{{32,64}})", 3.0),
    ("xai-api-key", "xai-", f"xai-({_A}{{50,120}})", 3.5),
    ("langsmith-api-key", "lsv2_", f"lsv2_(?:pt|sk)_({_U}{{30,64}})", 3.0),
    ("pinecone-api-key", "pcsk_", f"pcsk_({_U}{{30,100}})", 3.5),
    ("nvidia-api-key", "nvapi-", f"nvapi-({_U}{{40,100}})", 3.5),
    ("tavily-api-key", "tvly-", f"tvly-({_U}{{24,64}})", 3.0),
    ("fireworks-api-key", "fw_", f"fw_({_A}{{20,32}})", 3.5),
    ("firecrawl-api-key", "fc-", f"fc-({_H}{{32}})", 3.0),
    ("jina-api-key", "jina_", f"jina_({_U}{{40,80}})", 3.5),
    ("cerebras-api-key", "csk-", f"csk-({_A}{{40,60}})", 3.0),
    ("elevenlabs-api-key", "sk_", f"sk_({_H}{{40,64}})", 3.0),
    ("voyage-api-key", "pa-", f"pa-({_U}{{40,60}})", 4.0),
)
_CLOUDS: Final = (
    ("aws-access-key", "A", r"(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])([A-Z0-9]{16})", 2.5),
    ("aws-bedrock-key", "ABSK", f"ABSK({_B}{{100,280}})={{0,2}}", 2.5),
    ("aws-bedrock-key", "bedrock-api-key-", f"bedrock-api-key-({_B}{{20,4000}})={{0,2}}", 3.0),
    ("gcp-api-key", "AIza", f"AIza({_U}{{35}})", 3.0),
    ("gcp-oauth-token", "ya29.", f"ya29\\.({_U}{{20,1000}})", 3.0),
    ("gcp-oauth-secret", "GOCSPX-", f"GOCSPX-({_U}{{24,40}})", 3.0),
    ("gcp-refresh-token", "1//0", f"1//0({_U}{{30,200}})", 3.5),
    ("azure-client-secret", "Q~", r"[A-Za-z0-9_~.-]{3}[0-9]Q~([A-Za-z0-9_~.-]{31,34})", 3.0),
    ("azure-signature", "sig=", r"sig=([A-Za-z0-9%+/]{40,90}=?)", 3.5),
    ("digitalocean-token", "_v1_", f"do[oprt]_v1_({_H}{{64}})", 3.0),
    ("alibaba-access-key", "LTAI", f"LTAI({_A}{{16,26}})", 3.0),
    ("tencent-secret-id", "AKID", f"AKID({_A}{{28,36}})", 3.5),
    ("yandex-token", "t1.", f"t1\\.({_U}{{20,200}}={{0,2}}\\.{_U}{{80,90}})={{0,2}}", 3.5),
    ("yandex-api-key", "AQVN", f"AQVN({_U}{{35,38}})", 3.5),
    ("heroku-api-key", "HRKU-", f"HRKU-({_U}{{36,70}})", 3.0),
    ("fly-access-token", "fo1_", f"fo1_({_U}{{43}})", 3.5),
    ("fly-access-token", "fm", f"fm[12][ar]?_({_B}{{100,2000}})={{0,3}}", 3.5),
    ("netlify-token", "nfp_", f"nfp_({_A}{{36,44}})", 3.0),
    ("render-api-key", "rnd_", f"rnd_({_A}{{28,40}})", 3.5),
    ("scalingo-token", "tk-us-", f"tk-us-({_U}{{48}})", 3.0),
    ("planetscale-token", "pscale_", r"pscale_(?:tkn|oauth|pw)_([A-Za-z0-9_.=-]{32,64})", 3.0),
    ("supabase-key", "sbp_", f"sbp_({_H}{{40}})", 3.0),
    ("supabase-key", "sb_secret_", f"sb_secret_({_U}{{20,60}})", 3.0),
    ("cloudflare-ca-key", "v1.0-", f"v1\\.0-({_H}{{24}}-{_H}{{146}})", 3.0),
    ("databricks-token", "dapi", f"dapi({_H}{{32}}(?:-[0-9])?)", 3.0),
    ("openshift-token", "sha256~", f"sha256~({_U}{{43}})", 3.5),
    ("vault-token", "hv", f"hv[bsr]\\.({_U}{{24,300}})", 3.0),
    ("terraform-token", ".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.([A-Za-z0-9=_-]{60,80})", 3.5),
    ("pulumi-token", "pul-", f"pul-({_H}{{40}})", 3.0),
    ("doppler-token", "dp.", f"dp\\.(?:pt|st|ct|sa|scim|audit)\\.(?:[a-z0-9_-]{{2,35}}\\.)?({_A}{{40,44}})", 3.5),
    ("tailscale-key", "tskey-", f"tskey-[a-z]{{1,10}}-({_U}{{16,80}})", 3.0),
    ("harness-token", "at.", f"[ps]at\\.({_U}{{22}}\\.{_H}{{24}}\\.{_A}{{20}})", 3.0),
    ("infracost-token", "ico-", f"ico-({_A}{{32}})", 3.5),
)
_CODE: Final = (
    ("github-token", "gh", f"gh[opusr]_({_A}{{30,255}})", 3.0),
    ("github-token", "github_pat_", r"github_pat_([A-Za-z0-9_]{40,100})", 3.0),
    ("gitlab-token", "gl", r"gl(?:pat|ptt|dt|rt|rtr|cbt|ft|imt|agent|soat|oas|ffct|wt)-([A-Za-z0-9_.=-]{18,300})", 3.0),
    ("gitlab-token", "GR1348941", f"GR1348941({_U}{{20}})", 3.0),
    ("gitlab-session", "_gitlab_session=", f"_gitlab_session=({_H}{{32}})", 2.5),
    ("atlassian-token", "ATATT3", r"ATATT3([A-Za-z0-9_=-]{100,250})", 3.5),
    ("atlassian-token", "ATCTT3", r"ATCTT3([A-Za-z0-9_=-]{100,250})", 3.5),
    ("bitbucket-token", "ATBB", r"ATBB([A-Za-z0-9_=-]{20,40})", 3.5),
    ("npm-token", "npm_", f"npm_({_A}{{36}})", 3.0),
    ("pypi-token", "pypi-AgE", f"pypi-AgE({_U}{{40,1000}})", 3.0),
    ("rubygems-token", "rubygems_", f"rubygems_({_H}{{48}})", 3.0),
    ("nuget-key", "oy2", r"oy2([a-z0-9]{43})", 3.5),
    ("crates-token", "cio", f"cio({_A}{{32}})", 4.0),
    ("clojars-token", "CLOJARS_", r"CLOJARS_([a-z0-9]{60})", 3.0),
    ("docker-token", "dckr_", f"dckr_(?:pat|oat)_({_U}{{20,40}})", 3.0),
    ("artifactory-key", "AKCp", f"AKCp({_A}{{60,75}})", 3.5),
    ("artifactory-token", "cmVmd", f"cmVmd({_A}{{55,68}})", 3.5),
    ("sonar-token", "sq", f"sq[upa]_({_H}{{40}})", 3.0),
    ("sourcegraph-token", "sgp_", r"sgp_(?:(?:[A-Fa-f0-9]{16}|local)_)?([A-Fa-f0-9]{40})", 3.0),
    ("sourcegraph-token", "slk_", f"slk_({_H}{{64}})", 3.0),
    ("circleci-token", "CCIPAT_", f"CCIPAT_({_U}{{40,90}})", 3.0),
    ("buildkite-token", "bkua_", f"bkua_({_H}{{40}})", 3.0),
    ("sentry-token", "sntrys_", r"sntrys_eyJ([A-Za-z0-9+/=_-]{40,400})", 3.5),
    ("sentry-token", "sntryu_", f"sntryu_({_H}{{64}})", 3.0),
    ("grafana-token", "glc_", f"glc_({_B}{{32,400}})={{0,3}}", 3.0),
    ("grafana-token", "glsa_", r"glsa_([A-Za-z0-9]{32}_[A-Fa-f0-9]{8})", 3.0),
    ("grafana-token", "eyJrIjoi", f"eyJrIjoi({_B}{{60,400}})={{0,3}}", 3.5),
    ("newrelic-key", "NR", f"NR(?:AK|II|JS|RA|IQ|SP)-({_U}{{19,40}})", 2.5),
    ("dynatrace-token", "dt0", r"dt0[a-z][0-9]{2}\.([A-Z0-9]{24}\.[A-Z0-9]{64})", 3.0),
    ("postman-key", "PMAK-", f"PMAK-({_H}{{24}}-{_H}{{34}})", 3.0),
    ("octopus-deploy-key", "API-", r"API-([A-Z0-9]{26})", 3.0),
    ("prefect-token", "pn", r"pn[ub]_([A-Za-z0-9]{36})", 3.0),
    ("readme-token", "rdme_", r"rdme_([a-z0-9]{70})", 3.0),
    ("launchdarkly-key", "sdk-", f"sdk-({_UUID})", 2.5),
    ("linear-key", "lin_", f"lin_(?:api|oauth)_({_A}{{32,64}})", 3.0),
    ("figma-token", "fig", f"fig[dor]?[a-z]?_({_U}{{40,64}})", 3.5),
    ("frameio-token", "fio-u-", f"fio-u-({_U}{{64}})", 3.5),
    ("typeform-token", "tfp_", r"tfp_([A-Za-z0-9_.=-]{40,70})", 3.0),
    ("airtable-token", "pat", f"pat({_A}{{14}}\\.{_H}{{64}})", 3.0),
    ("notion-token", "ntn_", f"ntn_({_A}{{40,60}})", 3.5),
    ("notion-token", "secret_", f"secret_({_A}{{40,50}})", 3.5),
    ("contentful-token", "CFPAT-", f"CFPAT-({_U}{{40,50}})", 3.0),
    ("dropbox-token", "sl.", f"sl\\.({_U}{{100,1500}})", 3.5),
    ("definednetworking-token", "dnkey-", f"dnkey-({_U}{{26}}-{_U}{{52}})", 3.0),
    ("intra42-secret", "s-s4t2", f"s-s4t2(?:ud|af)-({_H}{{64}})", 3.0),
    ("adobe-client-secret", "p8e-", f"p8e-({_A}{{32}})", 3.0),
    ("maxmind-key", "_mmk", r"([A-Za-z0-9]{6}_[A-Za-z0-9]{29})_mmk", 3.5),
    ("clickhouse-key", "4b1d", f"4b1d({_A}{{38}})", 3.5),
    ("settlemint-token", "sm_", f"sm_(?:aat|pat|sat)_({_A}{{16}})", 3.0),
)
_MONEY_AND_MAIL: Final = (
    ("stripe-key", "k_", f"[srp]k_(?:live|test|prod)_({_A}{{10,240}})", 2.5),
    # with hyphens words could stand there, too: a digit among them tells a key from a name
    ("stripe-key", "k-", f"[srp]k-(?:live|test|prod)-([A-Za-z_-]{{0,240}}[0-9]{_U}{{4,240}})", 2.0),
    ("stripe-webhook-secret", "whsec_", r"whsec_([A-Za-z0-9+/=]{24,80})", 3.0),
    ("square-token", "sq0", f"sq0[a-z]{{3}}-({_U}{{22,60}})", 3.0),
    ("square-token", "EAAA", f"EAAA({_U}{{56,70}})", 3.5),
    ("facebook-token", "EAA", f"EAA[MC]({_A}{{80,400}})", 3.5),
    ("shopify-token", "shp", r"shp(?:at|ca|pa|ss)_([a-fA-F0-9]{32})", 3.0),
    ("shippo-token", "shippo_", f"shippo_(?:live|test)_({_H}{{40}})", 3.0),
    ("easypost-key", "EZ", f"EZ[AT]K({_A}{{54}})", 3.5),
    ("duffel-token", "duffel_", r"duffel_(?:live|test)_([A-Za-z0-9_=-]{40,50})", 3.0),
    ("flutterwave-key", "FLW", r"FLW(?:SEC|PUB)K(?:_TEST)?-([A-Za-z0-9]{12,64}(?:-X)?)", 3.0),
    ("plaid-token", "access-", f"access-(?:sandbox|development|production)-({_UUID})", 2.5),
    ("live-or-test-key", "live_", f"live_(?:pub_)?({_U}{{35,64}})", 3.0),
    ("live-or-test-key", "test_", f"test_(?:pub_)?({_H}{{35}})", 3.0),
    ("sendgrid-token", "SG.", r"SG\.([A-Za-z0-9_=-]{16,32}\.[A-Za-z0-9_=-]{30,64})", 3.5),
    ("mailgun-key", "key-", f"key-({_H}{{32}})", 3.0),
    ("mailchimp-key", "-us", f"({_H}{{32}})-us[0-9]{{1,2}}", 3.0),
    ("hubspot-token", "pat-", f"pat-[a-z]{{2}}[0-9]-({_UUID})", 2.5),
    ("brevo-key", "xkeysib-", f"xkeysib-({_H}{{64}}-{_A}{{16}})", 3.0),
    ("brevo-key", "xsmtpsib-", f"xsmtpsib-({_H}{{64}}-{_A}{{16}})", 3.0),
    ("resend-key", "re_", f"re_({_A}{{8}}_{_A}{{20,30}})", 3.5),
    ("twilio-key", "SK", f"SK({_H}{{32}})", 3.0),
)
_TALK: Final = (
    ("slack-token", "xox", r"xox[pe](?:-[0-9]{10,13}){3}-([A-Za-z0-9-]{28,34})", 2.5),
    ("slack-token", "xoxb-", r"xoxb-(?:[0-9]{8,14}-){1,2}([A-Za-z0-9-]{16,64})", 2.5),
    ("slack-token", "xox", r"xox[osr]-[0-9]{1,14}-[0-9]{1,14}-[0-9]{1,14}-([A-Fa-f0-9]{8,80})", 2.0),
    ("slack-token", "xox", r"xox[ar]-(?:[0-9]-)?([A-Za-z0-9-]{12,80})", 2.5),
    ("slack-token", "xoxe", r"xoxe\.xox[bp]-[0-9]-([A-Za-z0-9]{140,200})", 2.5),
    ("slack-token", "xoxe-", r"xoxe-[0-9]-([A-Za-z0-9]{120,180})", 2.5),
    ("slack-token", "xapp-", r"(?i)xapp-[0-9]-([A-Z0-9]{8,14}-[0-9]{8,16}-[a-z0-9]{32,80})", 2.5),
    ("slack-webhook", "hooks.slack", r"hooks\.slack(?:-gov)?\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{36,80})", 3.0),
    ("teams-webhook", "/webhookb2/", f"/webhookb2/({_UUID}@{_UUID}/IncomingWebhook/{_A}{{32}}/{_UUID})", 2.5),
    ("discord-webhook", "/api/webhooks/", f"/api/webhooks/([0-9]{{15,22}}/{_U}{{50,90}})", 3.0),
    ("discord-token", ".", r"[MNO][A-Za-z0-9_-]{23,27}\.[A-Za-z0-9_-]{6}\.([A-Za-z0-9_-]{27,40})", 3.5),
    ("telegram-token", ":A", f"(?:bot)?[0-9]{{5,16}}:(A{_U}{{34}})", 3.0),
    ("twitter-bearer", "AAAAAAAA", r"A{20,26}([A-Za-z0-9%+=/]{60,120})", 3.5),
)
_OTHERS: Final = (
    ("jwt", "eyJ", r"(eyJ[A-Za-z0-9_-]{8,8000}\.[A-Za-z0-9_-]{8,16000}\.[A-Za-z0-9_-]{0,8000})", 3.0),
    ("jwt", "ZXlK", r"(ZXlK[A-Za-z0-9+/_-]{60,16000})={0,2}", 3.5),
    ("mapbox-token", "k.", r"[sp]k\.([a-z0-9]{60}\.[a-z0-9]{22})", 3.5),
    ("mapbox-token", "k.eyJ", r"[sp]k\.(eyJ[A-Za-z0-9_-]{20,400}\.[A-Za-z0-9_-]{16,80})", 3.0),
    ("1password-token", "ops_eyJ", r"ops_(eyJ[A-Za-z0-9+/_-]{200,8000})={0,3}", 3.5),
    ("1password-secret-key", "A3-", r"A3-([A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5})", 3.5),
    ("age-secret-key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1([A-Z0-9]{58})", 3.0),
    ("generic-token", "_", r"[a-zA-Z][a-zA-Z0-9]{1,15}_(?:sk|key|secret|token|pat|api|live|apikey|access|refresh|oauth)_([A-Za-z0-9]{20,200})", 3.5),
    ("generic-token", "-", r"[a-zA-Z][a-zA-Z0-9]{1,15}-(?:sk|key|secret|token|pat|api|live|apikey|access|refresh|oauth)-([A-Za-z0-9]{20,200})", 3.5),
)

SHAPES: Final = tuple(
    Shape(rule, literal, re.compile(pattern), bits)
    for group in (_MODELS, _CLOUDS, _CODE, _MONEY_AND_MAIL, _TALK, _OTHERS)
    for rule, literal, pattern, bits in group
)
"""All shapes; where two match the same text, the first names the rule."""

SHORTEST: Final = 15
"""The least length of a key of any shape, in characters."""
