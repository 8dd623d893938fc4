"""Kinds of triggers that our models add to those of django-pgtrigger."""

import pgtrigger
from django.db import models
from pgtrigger import compiler

INVOKER = "END;\n            $$ LANGUAGE plpgsql;\n\n            DROP TRIGGER"
DEFINER = """END;
            $$ LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp;
            REVOKE EXECUTE ON FUNCTION {pgid}() FROM PUBLIC;

            DROP TRIGGER"""


class OwnersTriggerSql(compiler.UpsertTriggerSql):
    """The SQL of an `OwnersTrigger`; migrations name this class."""

    def get_template(self) -> str:
        """The library's template with the rights of the owner, for the names it was written for."""
        template: str = super().get_template()
        if template.count(INVOKER) != 1:
            raise RuntimeError("this version of django-pgtrigger writes its functions otherwise")
        return template.replace(INVOKER, DEFINER)


class OwnersTrigger(pgtrigger.Trigger):
    """Runs with the rights of the owner of the tables, for what whoever writes may not do by itself.

    Nobody else may call its function, so nobody can hang it onto a table of his own.
    """

    def compile(self, model: models.Model) -> compiler.Trigger:
        """As the library does, with the other template."""
        plain = super().compile(model)
        return compiler.Trigger(name=plain.name, sql=OwnersTriggerSql(**plain.sql.kwargs))


class UpdatedByTriggersAlone(pgtrigger.Trigger):
    """Refuses whoever updates the table himself; `config.roles` does not even allow the application to try."""

    level = pgtrigger.Row
    when = pgtrigger.Before
    operation = pgtrigger.Update
