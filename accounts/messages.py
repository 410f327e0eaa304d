"""The words for every code that accounts raises."""

from django.utils.translation import gettext_lazy as _

from xraydx.errors import Message

MESSAGES: dict[str, Message] = {
    "not_permitted": Message(
        _("Your role does not allow this."),
        _("If your work needs it, ask an administrator."),
    ),
    "sign_in_failed": Message(
        _("User name and password do not belong together."),
        _("Check both, also the Caps Lock key. An administrator can give you a new password."),
    ),
    "sign_in_delayed": Message(
        _("Too many failed attempts."),
        _("Try again in %(seconds)s s. An administrator can lift the wait at once."),
    ),
    "one_time_password_expired": Message(
        _("This one-time password is too old."),
        _("Ask an administrator for a new one."),
    ),
    "code_wrong": Message(
        _("This code is not right, or was used before."),
        _("Type the code that your app shows now. A recovery code works as well."),
    ),
    "first_code_wrong": Message(
        _("This code is not right."),
        _("Type the six digits that the app shows now. The phone's clock must be right."),
    ),
    "second_factor_present": Message(
        _("The second factor is switched on already."),
        _("Remove it first if you want to use another device."),
    ),
    "second_factor_absent": Message(
        _("There is no second factor on this account."),
        _("Open the page again to set one up."),
    ),
    "second_factor_required": Message(
        _("Your role needs a second factor."),
        _("It can't be removed. To change the device, ask an administrator to reset it."),
    ),
    "secret_unreadable": Message(
        _("The code of the app can't be checked here."),
        _("Use a recovery code, or ask an administrator to reset the second factor."),
    ),
    "password_wrong": Message(
        _("The current password is not right."),
        _("Type the password that you signed in with."),
    ),
    "password_same": Message(
        _("This is the password that you have now."),
        _("Choose another one."),
    ),
    "password_weak": Message(
        _("This password is too easy to guess."),
        _("Choose a longer one: four unusual words in a row are easy to remember."),
    ),
    "username_taken": Message(
        _("There is an account with this user name."),
        _("Choose another name, or activate that account again."),
    ),
    "role_needs_new_account": Message(
        _("A person's account can't become a program's, nor the other way round."),
        _("Make a new account for it."),
    ),
    "last_administrator": Message(
        _("This is the last active administrator."),
        _("Make another account administrator first."),
    ),
    "own_account": Message(
        _("You can't deactivate the account that you use."),
        _("Another administrator can."),
    ),
    "program_has_no_password": Message(
        _("A program signs in with tokens, not with a password."),
        _("Create a token for it instead."),
    ),
    "language_unknown": Message(
        _("This language is not spoken here."),
        _("Choose one of the list."),
    ),
    "account_inactive": Message(
        _("This account is deactivated."),
        _("Activate it first."),
    ),
    "user_not_found": Message(
        _("There is no such account."),
        _("Go back to the list of users."),
    ),
    "token_not_found": Message(
        _("There is no such token on this account."),
        _("Load the page again."),
    ),
    "token_scopes_unknown": Message(
        _("A token needs at least one scope: read, write."),
        _("Choose what the program may do."),
    ),
    "token_days_out_of_range": Message(
        _("A token lasts between 1 and %(max)s days."),
        _("Choose a number of days in that range."),
    ),
    "scope_missing": Message(
        _("The token's scopes do not cover this request."),
        _("Use a token with the scope that this needs."),
    ),
}
