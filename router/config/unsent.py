"""Rules that ask of a source what it has never sent, as far as the archive's index tells. It opens no database."""

from collections.abc import Iterator, Mapping

from archive import INDEXED, Sample
from router.config.configuration import Configuration
from router.config.loops import senders_of
from rules import Problem, needs

FEWEST = 20  # instances; of fewer nothing is concluded


def never_sent(loaded: Configuration, samples: Mapping[str, Sample]) -> Iterator[Problem]:
    """Rules for some sources by name that match only what has an attribute which none of their instances has."""
    settings = loaded.settings
    written = {attribute.name for rule in settings.normalise for attribute in rule.written}
    senders = [each for each in senders_of(settings) if each.source in samples]
    for rule in settings.rules:
        if rule.when is None or rule.disabled:
            continue
        subjects = {subject.name for subject in rule.when.subjects()}
        for keyword in sorted(subjects.intersection(INDEXED) - written) if "source" in subjects else ():
            for sender in senders:
                sample = samples[str(sender.source)]
                if sample.instances < FEWEST or keyword in sample.attributes or not needs(rule.when, keyword, [sender]):
                    continue
                said = (
                    f"the rule {rule.name!r} asks for {keyword}, which none of the last {sample.instances} instances "
                    f"of source {sender.source!r} has"
                )
                yield Problem.at(loaded.places[rule.name], said)
