"""What every queryset of the market can do."""

from typing import Any, TypeVar

from django.db import models

from marketplace.common.errors import NotFound

Row = TypeVar("Row", bound=models.Model)


class PublicQuerySet(models.QuerySet[Row]):
    """Rows that are named by a public id."""

    def by_public_id(self, public_id: Any) -> Row:
        """The row, or NotFound: what belongs to somebody else is missing too."""
        row = self.filter(public_id=public_id).first()
        if row is None:
            raise NotFound(f"there is no {self.model._meta.verbose_name_raw} {public_id}")
        return row
