"""OpenVINO."""

from ...no_telemetry import switch_off_openvinos

switch_off_openvinos()
