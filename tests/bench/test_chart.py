"""The chart is well-formed and says what it shows."""

import xml.etree.ElementTree as ET

from bench.chart import Bar, draw

SVG = "{http://www.w3.org/2000/svg}"


def test_bars_met_and_missed() -> None:
    root = ET.fromstring(draw("a < b", [Bar("x & y", 2.0, 1.5), Bar("z", 0.5, 1.0)]))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert texts == ["a < b", "x & y", "2.00", "z", "0.50"]
    bars = [e for e in root.iter(f"{SVG}rect") if e.get("class")]
    assert [bar.get("class") for bar in bars] == ["met", "missed"]
    assert float(bars[0].get("width", "")) > float(bars[1].get("width", ""))


def test_no_bars() -> None:
    ET.fromstring(draw("nothing", []))
