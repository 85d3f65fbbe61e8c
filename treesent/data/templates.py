"""Labelled texts from templates: a way to teach what few texts show, such as a negation far from its word.

A file of templates is a table with the columns ``label`` and ``text``. A row whose label is a slot, ``{it}``, lists the
words for that slot, with commas between them. Any other row is a template: its text with every slot filled is a text of
that label.
"""

import random
import re
from pathlib import Path

from treesent.data.labelled import LabelledRows
from treesent.data.tables import read_rows
from treesent.errors import DataError

_SLOT = re.compile(r"\{(\w+)\}")


def read_templates(path: str | Path, most: int = 40) -> LabelledRows:
    """Fill the templates of a file, with words drawn by a fixed seed.

    :param path: the file.
    :param most: texts of one template at most.
    :returns: the texts with their labels; each text once.
    :raises DataError: a template has a slot without words, or two templates give one text with two labels.
    """
    words: dict[str, list[str]] = {}
    templates: list[tuple[int, str, str]] = []
    for row in read_rows(path, need=("label", "text")):
        label, text = str(row.values["label"]).strip(), str(row.values["text"]).strip()
        if slot := _SLOT.fullmatch(label):
            words[slot[1]] = [word.strip() for word in text.split(",") if word.strip()]
        else:
            templates.append((row.number, label, text))
    known: dict[str, str] = {}
    places: list[str] = []
    for number, label, template in templates:
        place = f"{path}: row {number}"
        for text in _filled(template, words, most, place):
            if known.get(text, label) != label:
                raise DataError(
                    f"{place}: {text!r} is {label!r} here and {known[text]!r} above; keep one of them"
                )
            if text not in known:
                places.append(f"row {number}")
            known[text] = label
    return LabelledRows(str(path), "label", list(known), list(known.values()), places, 0)


def _filled(template: str, words: dict[str, list[str]], most: int, place: str) -> list[str]:
    slots = _SLOT.findall(template)
    for slot in slots:
        if not words.get(slot):
            raise DataError(f"{place}: the slot {{{slot}}} has no words; add a row with the label {{{slot}}}")
    size = 1
    for slot in slots:
        size *= len(words[slot])
    chosen = random.Random(template).sample(range(size), min(size, most))
    texts = []
    for number in sorted(chosen):
        text = template
        for slot in slots:
            number, place_in = divmod(number, len(words[slot]))
            text = text.replace(f"{{{slot}}}", words[slot][place_in], 1)
        texts.append(text[:1].upper() + text[1:] if template.endswith((".", "!", "?")) else text)
    return texts
