"""What the service says of itself is valid, whole and readable."""

from openapi_spec_validator import OpenAPIV31SpecValidator

from service.app import operations, spec_of
from service.web.docs_page import render


def test_description_is_valid_openapi() -> None:
    OpenAPIV31SpecValidator(spec_of(operations())).validate()


def test_operations_have_names_of_their_own_and_a_summary() -> None:
    names = [op.name for op in operations()]

    assert len(names) == len(set(names))
    assert all(op.summary != op.name for op in operations())


def test_page_tells_of_every_operation_and_runs_no_script() -> None:
    page = render(spec_of(operations()))

    assert all(f'id="{op.name}"' in page for op in operations())
    assert "<script" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
