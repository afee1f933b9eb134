"""`micropacs serve`."""

import structlog

from archive import synchronises
from router.cli.options import Config, configuration
from router.cli.output import Exit, errors, fail
from router.config import SecretLostError
from router.locking import LockedError
from router.roles import ListenError, Supervisor
from router.telemetry import start_logging
from router.upkeep import NOT_SYNCHRONISED
from rules import run_tests


def serve(config: Config = None) -> None:
    """Run the appliance in the foreground. SIGTERM drains and stops; SIGHUP or a changed file reloads."""
    loaded = configuration(config)
    for warning in loaded.warnings:
        errors.print(f"{warning}", markup=False)
    failed = [result for result in run_tests(loaded.ruleset) if not result.passed]
    for result in failed:
        errors.print(f"test failed: {result.name}: {'; '.join(result.failures)}", markup=False)
    if failed:
        fail("the configuration's own tests fail, so it is not served", Exit.WRONG, hint="see: micropacs test")
    start_logging("serve")
    if not synchronises():
        structlog.get_logger(__name__).error(NOT_SYNCHRONISED)
    try:
        Supervisor(loaded).run()
    except LockedError:
        fail(f"another micropacs already serves {loaded.data}", Exit.WRONG)
    except SecretLostError as error:
        fail(str(error), Exit.WRONG, hint=error.hint)
    except OSError as error:
        hint = f"may this user read and write all of {loaded.data}?"
        fail(f"cannot run with {loaded.data}: {error.strerror}", Exit.WRONG, hint=hint)
    except ListenError as error:
        fail(str(error), Exit.WRONG, hint="is another program using this port? See appliance.listen and tls.listen")
