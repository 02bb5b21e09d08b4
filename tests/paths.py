"""The folders of the sample files."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
FIXTURES = ROOT / "fixtures"
EML = FIXTURES / "eml"
ICS = FIXTURES / "ics"
VCF = FIXTURES / "vcf"
CASES = FIXTURES / "cases"
