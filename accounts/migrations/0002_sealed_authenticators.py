"""Encrypts the secrets of authenticator apps, which stood in clear until now."""

from django.db import migrations

from accounts.sealing import ADDED_BYTES, seal, unseal

SECRET_BYTES = 20


def seal_all(apps, schema_editor):
    for device in apps.get_model("otp_totp", "TOTPDevice").objects.all():
        key = bytes.fromhex(device.key)
        if len(key) == SECRET_BYTES:
            device.key = seal(key, owner=str(device.user_id)).hex()
            device.save(update_fields=["key"])


def unseal_all(apps, schema_editor):
    for device in apps.get_model("otp_totp", "TOTPDevice").objects.all():
        key = bytes.fromhex(device.key)
        if len(key) == SECRET_BYTES + ADDED_BYTES:
            device.key = unseal(key, owner=str(device.user_id)).hex()
            device.save(update_fields=["key"])


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("otp_totp", "0003_add_timestamps"),
    ]

    operations = [
        migrations.CreateModel(
            name="Authenticator",
            fields=[],
            options={"proxy": True, "indexes": [], "constraints": []},
            bases=("otp_totp.totpdevice",),
        ),
        migrations.RunPython(seal_all, unseal_all),
    ]
