"""
What secrets and personal data look like in text: one table of rules, each with the literals without which it cannot match.

Every pattern runs in linear time: repeats are bounded or of one character class, and nothing is nested.

Source: the providers' own descriptions of their key formats; RFC 7519 (JWT), RFC 7468 (PEM), RFC 3986 section 3.2.1 (userinfo),
RFC 5321 (addresses).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from otel_tool_audit.sanitize import validators as valid


class Rule(NamedTuple):
    """
    One kind of thing to remove.

    Attributes:
        name: As it stands in ``redactions``.
        hints: Lower-case literals; without one of them in the lower-cased text the rule cannot match. Empty: always tried.
        pattern: Finds candidates; group ``v`` is what is removed, else the whole match.
        accept: Decides on a candidate; None: every one counts.
    """

    name: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    accept: Callable[[str], bool] | None = None


def _random(least: float) -> Callable[[str], bool]:
    return lambda text: valid.is_random(text, least) and not valid.is_placeholder(text)


def _digits_and_random(text: str) -> bool:
    return any(c.isdigit() for c in text) and not valid.is_placeholder(text.split("-", 1)[-1])


def _token(name: str, hints: str, pattern: str, least: float = 3.0, flags: int = 0) -> Rule:
    return Rule(name, tuple(hints.split()), re.compile(rf"(?<![A-Za-z0-9])(?P<v>{pattern})(?![A-Za-z0-9])", flags), _random(least))


_URL_SAFE = "[A-Za-z0-9_-]"

TOKENS: Final = (
    _token("jwt", "eyj ewog ewo", r"e[yw][A-Za-z0-9_-]{8,}={0,2}\.[A-Za-z0-9_-]{8,}={0,2}(?:\.[A-Za-z0-9_/+-]*){0,3}={0,2}"),
    _token("jwt-base64", "zxlk", r"ZXlK[A-Za-z0-9+/]{40,}={0,2}"),
    Rule("model-provider-key", ("sk-",), re.compile(r"(?<![A-Za-z0-9])(?P<v>sk-[A-Za-z0-9][A-Za-z0-9_-]{6,})"), _digits_and_random),
    _token("model-provider-key", "hf_ api_org_ pplx- gsk_ xai- r8_ nvapi- tgp_v1_ fw_ csk- lsv2_ rdme_ phx_ phc_ co_api",
           r"(?:hf_|api_org_|pplx-|gsk_|xai-|r8_|nvapi-|tgp_v1_|fw_|csk-|lsv2_(?:pt|sk)_|rdme_|ph[cx]_)[A-Za-z0-9_-]{20,}"),
    _token("aws-access-key", "akia asia abia acca a3t", r"(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    _token("aws-bedrock-key", "absk bedrock-api-key-", r"(?:ABSK[A-Za-z0-9+/]{109,269}={0,2}|bedrock-api-key-[A-Za-z0-9+/=_-]{40,})"),
    _token("google-api-key", "aiza", r"AIza[A-Za-z0-9_-]{35}", 4.0),
    _token("google-oauth", "ya29. gocspx- 1//0", r"(?:ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{30,})"),
    Rule("azure-client-secret", ("q~",), re.compile(r"(?<![A-Za-z0-9_~.-])(?P<v>[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34})(?![A-Za-z0-9_~.-])"), valid.is_random),
    _token("github-token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_", r"(?:gh[oprsu]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})"),
    _token("gitlab-token", "glpat- glptt- glrt- glcbt- gldt- glft- glimt- glagent- gloas- glsoat- glffct- gr1348941 _gitlab_session",
           r"(?:gl(?:pat|ptt|rt|rtr|cbt|dt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_=.-]{20,}|GR1348941[A-Za-z0-9_-]{20})", 3.2),
    _token("slack-token", "xoxa xoxb xoxc xoxd xoxe xoxo xoxp xoxr xoxs xapp-",
           r"(?:xox[a-eoprs](?:\.xox[bp])?-(?:[0-9]{1,2}-)?[0-9]{5,}-[0-9]{5,}-[A-Za-z0-9-]{10,}(?![#])|xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{40,}|xox[a-eoprs]-[0-9A-Za-z-]{40,}"
           r"|xapp-[0-9]-[A-Z0-9]{9,}-[0-9]{9,}-[a-z0-9]{16,})"),
    _token("slack-webhook", "hooks.slack.com", r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/]{30,}"),
    _token("webhook", "discord webhook.office.com", r"(?:discord(?:app)?\.com/api/webhooks/[0-9]{10,}/[A-Za-z0-9_-]{40,}|webhook\.office\.com/webhookb2/[A-Za-z0-9@/-]{60,})"),
    _token("stripe-key", "sk_ rk_ pk_ whsec_", r"(?:[rsp]k_(?:live|test|prod)_[A-Za-z0-9]{10,}|whsec_[A-Za-z0-9+/=]{24,})"),
    _token("square-token", "sq0 eaaa", r"(?:sq0[a-z]{3}-[A-Za-z0-9_-]{20,}|EAAA[A-Za-z0-9_+=-]{56,})"),
    _token("facebook-token", "eaac eaam", r"EAA[CM][A-Za-z0-9]{60,}"),
    _token("shopify-token", "shpat_ shpca_ shppa_ shpss_", r"shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}"),
    _token("twilio-key", "sk ac", r"(?:SK|AC)[0-9a-f]{32}"),
    _token("sendgrid-key", "sg.", r"SG\.[A-Za-z0-9_=-]{16,32}\.[A-Za-z0-9_=-]{16,64}"),
    _token("mail-key", "key- xkeysib- xsmtpsib- re_", r"(?:key-[0-9a-f]{32}|xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}|xsmtpsib-[0-9a-f]{64}-[A-Za-z0-9]{16}|re_[A-Za-z0-9]{8,}_[A-Za-z0-9]{20,})"),
    _token("mailchimp-key", "-us", r"[0-9a-f]{32}-us[0-9]{1,2}"),
    _token("package-token", "npm_ pypi- rubygems_ oy2 dckr_ cio", r"(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|rubygems_[a-f0-9]{48}|oy2[a-z0-9]{43}|dckr_[a-z]{3}_[A-Za-z0-9_-]{20,}|cio[A-Za-z0-9]{32})"),
    _token("hosting-token", "do dp. fo1_ fm1 fm2 rnd_ hrku- nfp_ sbp_ sb_secret_ vercel_ pscale_ railway_",
           r"(?:do[opr]_v1_[a-f0-9]{64}|dp\.(?:pt|st|ct|scim|audit)\.[A-Za-z0-9._-]{40,}|fo1_[A-Za-z0-9_-]{43}|fm[12][ar]?_[A-Za-z0-9+/_=-]{40,}|rnd_[A-Za-z0-9]{28,}"
           r"|HRKU-[A-Za-z0-9_-]{58,}|nfp_[A-Za-z0-9]{36,}|sbp_[a-f0-9]{40}|sb_secret_[A-Za-z0-9_-]{20,}|pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_.=-]{32,})"),
    _token("hashicorp-token", "hvs. hvb. hvr. .atlasv1.", r"(?:hv[bsr]\.[A-Za-z0-9_-]{24,}|[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70})"),
    _token("databricks-token", "dapi", r"dapi[a-f0-9]{32}(?:-[0-9])?"),
    _token("grafana-token", "glc_ glsa_ eyjr", r"(?:glc_[A-Za-z0-9+/]{32,400}={0,3}|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8})", 3.2),
    _token("1password-token", "ops_ a3-", r"(?:ops_eyJ[A-Za-z0-9+/]{250,}={0,3}|A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5})", 3.2),
    _token("age-key", "age-secret-key-", r"AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    _token("openshift-token", "sha256~", r"sha256~[A-Za-z0-9_-]{43}", 3.8),
    _token("sentry-token", "sntrys_ sntryu_ sntrya_", r"sntry[asu]_[A-Za-z0-9+/=_-]{40,}"),
    _token("sourcegraph-token", "sgp_ slk_", r"(?:sgp_(?:[A-Fa-f0-9]{16}_|local_)?[A-Fa-f0-9]{40}|slk_[a-f0-9]{64})"),
    _token("deployment-key", "api-", r"API-[A-Z0-9]{26}(?![A-Z0-9-])", 3.2),
    _token("observability-key", "nrak nrii- nrjs- dd0c .nr dt0c01. ico-", r"(?:NR(?:AK|II|JS|RA|SP)-?[A-Za-z0-9-]{27,}|dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{64}|(?<!\.)ico-[A-Za-z0-9]{32})", 3.2),
    _token("work-token", "lin_ ntn_ secret_ pmak- pul- atatt3 attatt atctt atbb shippo_ ezak eztk duffel_ figd_ pat pat- glsa frio_ flwseck ltai akc p8e- cflt tfp",
           r"(?:lin_(?:api|oauth)_[A-Za-z0-9]{32,}|ntn_[A-Za-z0-9]{40,}|secret_[A-Za-z0-9]{43}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|pul-[a-f0-9]{40}|AT(?:ATT|CTT|BB)[A-Za-z0-9_=-]{24,}"
           r"|shippo_(?:live|test)_[a-f0-9]{40}|EZ[AT]K[A-Za-z0-9]{54}|duffel_(?:test|live)_[A-Za-z0-9_=-]{43}|fig[dorh]_[A-Za-z0-9_-]{40,}|pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"
           r"|pat-(?:na|eu)[0-9]-[a-f0-9-]{36}|fio-u-[A-Za-z0-9_=-]{64}|FLWSECK(?:_TEST)?-[A-Za-z0-9-]{12,}|LTAI[A-Za-z0-9]{20}|AKC[a-z][A-Za-z0-9]{60,})"),
    _token("bot-token", ":aa", r"[0-9]{8,10}:AA[A-Za-z0-9_-]{32,35}"),
    _token("cloud-connection", "sharedaccesssignature ?sv= &sig=", r"(?:sig=[A-Za-z0-9%/+]{30,}(?:%3[Dd]|=))"),
)
"""Keys that say by their prefix whose they are, with a body drawn by chance."""

AUTHORIZATION = Rule(
    "authorization", ("bearer", "authorization", "basic "),
    re.compile(
        r"(?i)(?:(?:proxy-)?authorization['\"]?\s{0,3}[:=]\s{0,3}['\"]?\s{0,2}(?:(?:bearer|basic|token|digest|api-?key|api-?token|negotiate|apikey|oauth)\s{1,3})?"
        r"|\bbearer\s{1,3})(?P<v>[A-Za-z0-9+/=_.~@:-]{8,})"
    ),
    lambda text: not valid.is_placeholder(text) and not text.isalpha(),
)  # fmt: skip
URL_CREDENTIALS = Rule(
    "url-credentials", ("://",), re.compile(r"(?i)\b[a-z][a-z0-9+.-]{1,30}://[^\s/:@?#'\"]{0,128}:(?P<v>[^\s/@'\"]{1,256})@"),
    lambda text: not valid.is_placeholder(text),
)  # fmt: skip
COMMAND_USER = Rule(
    "command-credentials", ("-u", "--user", "--proxy-user"),
    re.compile(r"(?:\s|^)(?:-u|--user|--proxy-user|-U)[\s=]{1,3}['\"]?(?P<v>[^\s'\":]{0,128}['\"]?:['\"]?[^\s'\"]{1,128}|[^\s'\":]{3,128}:(?=['\"])|:[^\s'\"]{3,128})"),
    lambda text: _is_user_and_password(text),
)  # fmt: skip
BUNDLE = Rule(
    "package-credentials", ("bundle_",), re.compile(r"BUNDLE_[A-Z0-9_]{3,80}['\"]?\s{0,3}[:=]\s{0,3}['\"]?(?P<v>[^\s'\":;]{3,128}:[^\s'\";]{3,128})"),
    lambda text: not valid.is_placeholder(text),
)  # fmt: skip
SECRET_RULES: Final = (*TOKENS, AUTHORIZATION, URL_CREDENTIALS, COMMAND_USER, BUNDLE)
"""Run on every text, identifiers included."""

_SIDE = r"(?<![\w.+/=:-])"
PII_RULES: Final = (
    Rule("email", ("@",), re.compile(r"(?<![\w.%+-])(?P<v>[\w.%+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})")),
    Rule("iban", (), re.compile(r"(?<![A-Za-z0-9])(?P<v>[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,4})?)(?![A-Za-z0-9])"), valid.is_iban),
    Rule("card", (), re.compile(r"(?<![\w./:=+-])(?P<v>[0-9](?:[ -]?[0-9]){11,18})(?![\w/:=+-])"), valid.is_card),
    Rule("ssn", ("-",), re.compile(_SIDE + r"(?P<v>[0-9]{3}-[0-9]{2}-[0-9]{4})(?![\w/=-])"), valid.is_ssn),
    Rule("ip-address", (".",), re.compile(r"(?<![\w.-])(?P<v>[0-9]{1,3}(?:\.[0-9]{1,3}){3})(?![\w-]|\.[0-9])"), valid.is_ip),
    Rule("ip-address", (":",), re.compile(r"(?<![\w:.])(?P<v>[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,7})(?![\w:.]*:)(?!\w)"), valid.is_ip),
)  # fmt: skip
"""Run on free text; telephone numbers have rules of their own (phones.py)."""


def _is_user_and_password(text: str) -> bool:
    user, _, password = text.partition(":")
    user, password = user.strip("'\"<>"), password.strip("'\"<>")
    if not user and not password or user.startswith(("$", "<", "{{", "${", "[")) and password.startswith(("$", "<", "{{", "${", "[")):
        return False
    if valid.is_strong(password.strip("{}")):
        return True
    if not password:
        return valid.is_strong(user) or any(c in user for c in "!@#$%^&*") and any(c.isdigit() for c in user)
    return not valid.is_placeholder(password) and user.lower() != password.lower()
