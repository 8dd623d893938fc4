"""What agents send."""

from typing import Any

from rest_framework import serializers

from scheduler.states import END_REASONS

SHA256 = r"^[0-9a-f]{64}$"


class DeviceInput(serializers.Serializer[dict[str, Any]]):
    kind = serializers.CharField(max_length=20)
    model = serializers.CharField(max_length=120, allow_blank=True)
    count = serializers.IntegerField(min_value=0)
    memory_mb = serializers.IntegerField(min_value=0)


class RegisterInput(serializers.Serializer[dict[str, Any]]):
    name = serializers.CharField(max_length=80)
    engine = serializers.CharField(max_length=20)
    version = serializers.CharField(max_length=40)
    platform = serializers.DictField(child=serializers.CharField(max_length=200))
    devices = DeviceInput(many=True)
    units = serializers.IntegerField(min_value=1, max_value=100_000)
    public_key = serializers.CharField(max_length=60)
    sealing_key = serializers.CharField(max_length=60)
    clock = serializers.FloatField()


class ClaimInput(serializers.Serializer[dict[str, Any]]):
    agent = serializers.CharField(max_length=40)
    max = serializers.IntegerField(min_value=1, max_value=100)
    wait_s = serializers.FloatField(min_value=0, max_value=25, default=0)
    holds = serializers.ListField(child=serializers.CharField(max_length=40), max_length=1_000, default=list)


class EpochInput(serializers.Serializer[dict[str, Any]]):
    epoch = serializers.IntegerField(min_value=1)


class UsageInput(serializers.Serializer[dict[str, Any]]):
    seconds = serializers.FloatField(min_value=0, default=0)
    cpu_ms = serializers.IntegerField(min_value=0, default=0)
    peak_memory_bytes = serializers.IntegerField(min_value=0, default=0)


class SignedLineInput(serializers.Serializer[dict[str, Any]]):
    line = serializers.CharField(max_length=4000, trim_whitespace=False)
    signature = serializers.CharField(max_length=120)


class HeartbeatInput(EpochInput):
    phase = serializers.ChoiceField(["starting", "running", "finishing"])
    progress = serializers.FloatField(min_value=0, max_value=1, allow_null=True, default=None)
    usage = UsageInput(default=dict)
    signed = SignedLineInput(allow_null=True, default=None)


class LogInput(EpochInput):
    offset = serializers.IntegerField(min_value=0)
    data = serializers.CharField(allow_blank=True, trim_whitespace=False)  # type: ignore[assignment]  # a field


class OutputInput(EpochInput):
    path = serializers.CharField(max_length=400)
    size = serializers.IntegerField(min_value=0)
    sha256 = serializers.RegexField(SHA256)


class FinishedOutputInput(serializers.Serializer[dict[str, Any]]):
    path = serializers.CharField(max_length=400)
    artifact = serializers.CharField(max_length=40)
    size = serializers.IntegerField(min_value=0)
    sha256 = serializers.RegexField(SHA256)


class FinishInput(EpochInput):
    reason = serializers.ChoiceField(END_REASONS)
    exit_code = serializers.IntegerField(allow_null=True, default=None)
    signal = serializers.IntegerField(allow_null=True, default=None)
    message = serializers.CharField(max_length=400, allow_blank=True, default="")
    usage = SignedLineInput(many=True, default=list)
    outputs = FinishedOutputInput(many=True, default=list)
