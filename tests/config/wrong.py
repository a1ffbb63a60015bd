"""
Files in which something is wrong, and what is said of each.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.config.documents import ARGON2ID, SMALL
from txlb.config._document import MAX_ELEMENTS, MAX_LENGTH

#: Where something is wrong, by its line, and what is said, as a pattern.
Wanted = Sequence[tuple[int, str]]


def web(
    listen: str = '<listen ip="127.0.0.1:8080"/>',
    group: str = 'name="prod" enable="true"',
    hosts: str = '<host name="h1" ip="127.0.0.1:7001"/>',
    groups: str = "",
    more: str = "",
) -> bytes:
    """
    A file with room for mistakes: a line each for what stands where, from line
    3 on.
    """
    return f"""<config>
<service name="web">
{listen}
<group {group}>
{hosts}
</group>
{groups}
</service>
{more}
</config>""".encode()


#: Documents that are no XML, or XML that is not taken.
DOCUMENTS: dict[str, tuple[bytes, Wanted]] = {
    "empty": (b"", [(1, r"the file is empty; a configuration file begins with <config>")]),
    "blank": (b" \n\n ", [(1, r"the file is empty")]),
    "no XML": (b"listen 80", [(1, r"this is no XML")]),
    "truncated in an element": (SMALL[:-20], [(8, r"the file ends before its elements do")]),
    "truncated in a tag": (SMALL[:60], [(3, r"the file ends before its elements do")]),
    "truncated in a comment": (b"<config>\n<!-- a", [(2, r"the file ends before")]),
    "bad bytes": (SMALL.replace(b"h2", b"\xe9"), [(6, r"no text in the file's encoding")]),
    "bad bytes at first": (b"\x80\x81", [(1, r"this is no XML")]),
    "unknown encoding": (
        b'<?xml version="1.0" encoding="klingon"?>' + SMALL,
        [(1, r"the encoding .* is not known; use utf-8")],
    ),
    "other encoding": (
        b'<?xml version="1.0" encoding="utf-16"?>' + SMALL,
        [
            (
                1,
                r'the XML declaration .* does not fit .*; write <\?xml version="1.0" encoding="utf',
            )
        ],
    ),
    "late declaration": (b"\n" + b'<?xml version="1.0"?>' + SMALL, [(2, r"the very first thing")]),
    "NUL": (
        SMALL.replace(b"h2", b"h\0"),
        [(6, r"a character that XML does not allow, such as NUL")],
    ),
    "NUL only": (b"\0\0\0\0", [(1, r"this is no XML")]),
    "control character": (SMALL.replace(b"h2", b"h\x01"), [(6, r"a character that XML does not")]),
    "DOCTYPE": (b"<!DOCTYPE config>\n" + SMALL, [(1, r"a DOCTYPE is not read, .*; remove it")]),
    "DOCTYPE after a comment": (
        b'<?xml version="1.0"?>\n<!-- <!DOCTYPE no>\n-->\n<?pi <!DOCTYPE no?>\n'
        b'<!DOCTYPE config SYSTEM "config.dtd">\n' + SMALL,
        [(5, r"a DOCTYPE is not read")],
    ),
    "DOCTYPE in UTF-16": (
        '<?xml version="1.0" encoding="utf-16"?>\n<!DOCTYPE config>\n<config/>'.encode("utf-16"),
        [(2, r"a DOCTYPE is not read")],
    ),
    "DOCTYPE after blank lines": (
        b" \n" * 100_000 + b"<!---->" * 1000 + b"<!DOCTYPE config>" + SMALL,
        [(100_001, r"a DOCTYPE is not read")],
    ),
    "a tag that ends with the file": (b"<config>\n<service\n  \n", [(4, r"the file ends before")]),
    "entity bomb": (
        b'<!DOCTYPE config [\n<!ENTITY a "aaaaaaaaaa">\n'
        + b"\n".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12))
        + b"]>\n<config>&m;</config>",
        [(1, r"a DOCTYPE is not read, nor are the entities")],
    ),
    "a file as an entity": (
        b'<!DOCTYPE config [<!ENTITY a SYSTEM "file:///etc/passwd">]><config>&a;</config>',
        [(1, r"a DOCTYPE is not read")],
    ),
    "an entity": (SMALL.replace(b"h2", b"&uuml;"), [(6, r"no entities are read; write the char")]),
    "100,000 levels": (b"<config>\n" + b"<a>" * 100_000, [(2, r"more than 32 levels deep")]),
    "100,000 levels, closed": (
        b"<config>" + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</config>",
        [(1, r"more than 32 levels deep")],
    ),
    "33 levels": (
        b"<config>\n" + b"<note>\n" * 32 + b"</note>" * 32 + b"</config>",
        [(33, r"more than 32 levels deep")],
    ),
    "250,001 elements": (
        b"<config>\n" + b"<a/>" * MAX_ELEMENTS + b"</config>",
        [(2, r"there are more than 250000 elements; this is no configuration file")],
    ),
    "too long": (
        b"<config>" + b" " * MAX_LENGTH,
        [(0, r"longer than 10485760 bytes")],
    ),
    "closed by another": (
        SMALL.replace(b"</group>", b"</grupp>"),
        [(7, r"<group> of line 4 is closed by </grupp>")],
    ),
    "two roots": (SMALL + SMALL, [(10, r"something after the end of the outermost element")]),
    "attribute twice": (
        SMALL.replace(b'"h2"', b'"h2" name="h3"'),
        [(6, r"the attribute name is there twice")],
    ),
    "no quotes": (SMALL.replace(b'"h2"', b"h2"), [(6, r"stands in quotes")]),
    "a < in a value": (SMALL.replace(b"h2", b"<"), [(6, r"write &lt; there")]),
    "a lonely &": (SMALL.replace(b"h2", b"a & b"), [(6, r"write &amp; there")]),
    "no space": (SMALL.replace(b'"h2" ', b'"h2"'), [(6, r"not well-formed XML: attributes con")]),
    "another root": (
        b"<html>\n</html>",
        [(1, r"the outermost element is <html>; it has to be <conf")],
    ),
    "a root in a namespace": (
        b'<config xmlns="urn:x"/>',
        [(1, r"the outermost element is <config>.*namespace")],
    ),
    "an unbound prefix": (
        SMALL.replace(b"<listen", b"<x:listen"),
        [(3, r"namespaces are not used")],
    ),
}

#: Elements and attributes that say something that can't be.
CONTENTS: dict[str, tuple[bytes, Wanted]] = {
    # Addresses
    "port 0": (web('<listen ip="*:0"/>'), [(3, r"port 0 in '\*:0' is no port.*1 to 65535")]),
    "port 70000": (web('<listen ip="*:70000"/>'), [(3, r"port 70000 .*ports are 1 to 65535")]),
    "no port": (web('<listen ip="127.0.0.1"/>'), [(3, r"has no port; write host:port")]),
    "a word for a port": (web('<listen ip="*:http"/>'), [(3, r"'http' .* is no port")]),
    "no address": (web("<listen/>"), [(3, r"<listen> has no attribute ip; it needs one")]),
    "a URL": (
        web(hosts='<host name="h1" ip="http://127.0.0.1:7001/"/>'),
        [(5, r"ip of host 'h1': .* is a URL; the address alone is '127.0.0.1:7001'")],
    ),
    "an endpoint": (
        web('<listen ip="ssl:8080:interface=127.0.0.1"/>'),
        [(3, r"is an endpoint of Twisted's; the address alone is '127.0.0.1:8080'")],
    ),
    "a line end in a path": (
        web(hosts='<host name="h1" ip="unix:/run/a&#10;b"/>'),
        [(5, r"ip of host 'h1': 'unix:/run/a\\nb' has characters that can't be printed")],
    ),
    "text that runs backwards": (
        web('<listen ip="unix:/run/a&#x202e;b"/>'),
        [(3, r"'unix:/run/a\\u202eb' has characters that can't be printed")],
    ),
    "a zone that is none": (
        web('<listen ip="[fe80::1%&#x202e;eth]:80"/>'),
        [(3, r"the zone '\\u202eeth' of .* is no network interface")],
    ),
    "no zone": (
        web('<listen ip="[fe80::1]:80"/>'),
        [(3, r"'fe80::1' is a link-local address.*say which interface")],
    ),
    "a line end in the control socket's path": (
        web(more='<control socket="/run/a&#10;b"/>'),
        [(9, r"socket of <control> is '/run/a\\nb', which has characters that can't be printed")],
    ),
    "a user that isn't there": (
        web('<listen ip="unix:/run/a" user="nosuch-user"/>'),
        [(3, r"user of <listen> is 'nosuch-user', and this machine has no such user; make it")],
    ),
    "a group that isn't there": (
        web('<listen\nip="unix:/run/a" group="nosuch-group"/>'),
        [(4, r"group of <listen> is 'nosuch-group', and this machine has no such group; make it")],
    ),
    "no mode": (
        web('<listen ip="unix:/run/a" mode="rw"/>'),
        [(3, r"mode of <listen> is 'rw'; it is permissions as chmod takes them, 0000 to 0777")],
    ),
    "a mode of a port": (
        web('<listen ip="*:80" mode="0660"/>'),
        [(3, r"mode of <listen> is for UNIX sockets, and this one listens on \*:80; leave it out")],
    ),
    "a group of systemd's socket": (
        web('<listen ip="systemd:web" group="0"/>'),
        [(3, r"group of <listen> is for UNIX sockets, .*the socket unit says it \(SocketMode=")],
    ),
    "PROXY headers of any client": (
        web('<listen ip="*:80" proxyProtocol="v1"/>'),
        [(3, r"proxyProtocol of the listener on \*:80 needs trusted, the networks of the proxies")],
    ),
    "trusted clients without a use": (
        web('<listen ip="*:80" trusted="192.0.2.1"/>'),
        [(3, r"trusted of the listener on \*:80 has no effect without proxyProtocol; add it, or")],
    ),
    "an unknown version of PROXY headers": (
        web('<listen ip="*:80" proxyProtocol="v1 v3" trusted="all"/>'),
        [(3, r"proxyProtocol of <listen> is 'v3'; it is v1, v2 or optional")],
    ),
    "a trusted network that is none": (
        web('<listen ip="*:80" proxyProtocol="v1" trusted="192.0.2.1/24"/>'),
        [
            (
                3,
                r"trusted of <listen>: '192.0.2.1/24' has bits set behind its prefix",
            )
        ],
    ),
    "two services for one name": (
        web(
            '<listen ip="*:443" serverNames="a.example"/>',
            more='<service name="b"><listen ip="*:443" serverNames="b.example *.b.example '
            'a.example"/><group name="g" enable="yes"/></service>',
        ),
        [
            (
                9,
                r"'b' listens on \*:443, which service 'web' has in line 3; both want",
            )
        ],
    ),
    "one socket in two ways": (
        web(
            '<listen ip="*:443" serverNames="a.example"/>',
            more='<service name="b">\n<listen ip="*:443" prefaceTimeout="1"/>'
            '<group name="g" enable="yes"/></service>',
        ),
        [(10, r"has in line 3; both have one socket, and their prefaceTimeout differs; give both")],
    ),
    "the name of a server that is none": (
        web('<listen ip="*:443" serverNames="a.example *"/>'),
        [(3, r"serverNames of <listen> is '\*'; it is a name such as a.example, or \*.b.example")],
    ),
    "a host at port 0": (
        web(hosts='<host name="h1" ip="a:0"/>'),
        [(5, r"ip of host 'h1': port 0")],
    ),
    "a network twice": (
        web('<listen ip="*:80"/>\n<deny network="::1"/>\n<allow network="0::1"/>'),
        [(5, r"::1 stands in <deny> in line 4 already; once says what happens to it")],
    ),
    "bits behind a prefix": (
        web('<listen ip="*:80"/>\n<deny network="10.0.0.1/8"/>'),
        [(4, r"network of <deny>: .* has bits set behind its prefix; the network is 10.0.0.0/8")],
    ),
    "no network": (web('<listen ip="*:80"/><deny/>'), [(3, r"<deny> has no attribute network")]),
    "a host everywhere": (web(hosts='<host name="h1" ip="*:1"/>'), [(5, r"every interface")]),
    "a host with no address": (
        web(hosts='<host name="h1"/>'),
        [(5, r"host 'h1' has no attribute ip; .*an address: host:port")],
    ),
    "an address twice": (
        web('<listen ip="*:80"/>\n<listen ip=":80"/>'),
        [(4, r"service 'web' listens on \*:80, which service 'web' has in line 3")],
    ),
    "an address in two services": (
        web(
            more='<service name="b">\n<listen ip="127.0.0.1:8080"/>\n'
            '<group name="g" enable="1"/></service>'
        ),
        [(10, r"service 'b' listens on 127.0.0.1:8080, which service 'web' has in line 3")],
    ),
    "ssh at a service's address": (
        web(more='<admin><ssh listen="127.0.0.1:8080" enable="true"/></admin>'),
        [(9, r"<ssh> listens on 127.0.0.1:8080, which service 'web' has in line 3")],
    ),
    # Names
    "two services": (
        web(more=web().decode().replace("8080", "8081")[9:-9].strip()),
        [(9, r"a second service is called 'web'; the first is in line 2")],
    ),
    "two groups": (
        web(groups='<group name="prod"/>'),
        [(7, r"a second group is called 'prod'; the first is in line 4")],
    ),
    "two hosts": (
        web(
            hosts='<host name="a" ip="x:1"/>\n<host name="a" ip="x:2"/>\n<host name="a" ip="x:3"/>'
        ),
        [
            (6, r"a second host is called 'a'; the first is in line 5"),
            (7, r"a second host is called 'a'; the first is in line 5"),
        ],
    ),
    "two users": (
        web(
            more=f'<admin><user name="u" access="full" password="{ARGON2ID}"/>\n'
            f'<user name="u" access="full" password="{ARGON2ID}"/></admin>'
        ),
        [(10, r"a second user is called 'u'; the first is in line 9")],
    ),
    "no name": (web(group='enable="true"'), [(4, r"<group> has no attribute name")]),
    "an empty name": (web(hosts='<host name="" ip="a:1"/>'), [(5, r"a host needs a name")]),
    "a slash in a name": (web(hosts='<host name="a/b" ip="a:1"/>'), [(5, r"without a slash")]),
    "a long name": (
        web(hosts=f'<host name="{"a" * 256}" ip="a:1"/>'),
        [(5, r"256 characters long; at most 255")],
    ),
    # Values
    "unknown scheduler": (
        web(group='name="prod" enable="true" scheduler="leastcon"'),
        [(4, r"no scheduler is called 'leastcon'; did you mean 'leastc'")],
    ),
    "unheard-of scheduler": (
        web(group='name="prod" enable="true" scheduler="%%%"'),
        [(4, r"scheduler of group 'prod': .*there are: .*leastc, .*p2c, rand, .*roundr")],
    ),
    "weight of a word": (
        web(hosts='<host name="h1" ip="a:1" weight="heavy"/>'),
        [(5, r"weight of host 'h1' is 'heavy'; it is a whole number from 0 to 65535")],
    ),
    "weight of -1": (web(hosts='<host name="h1" ip="a:1" weight="-1"/>'), [(5, r"'-1'; it is")]),
    "weight of 1.5": (web(hosts='<host name="h1" ip="a:1" weight="1.5"/>'), [(5, r"'1.5'; it")]),
    "weight of 65536": (
        web(hosts='<host ip="a:1" weight="65536"/>'),
        [(5, r"weight of <host> is")],
    ),
    "weight of 10,000 digits": (
        web(hosts=f'<host ip="a:1" weight="{"9" * 10_000}"/>'),
        [(5, r"weight of <host> is '9{60}…'; it is a whole number")],
    ),
    "no boolean": (
        web(group='name="prod" enable="enabled"'),
        [(4, r"enable of group 'prod' is 'enabled'; it is one of true, yes, on, enable, 1 or of")],
    ),
    "no number of seconds": (
        web(more='<manager graceTime="1e3"/>'),
        [(9, r"graceTime of <manager> is '1e3'; it is a number of seconds from 0 to 86400")],
    ),
    "not a number": (web(more='<manager graceTime="nan"/>'), [(9, r"is 'nan'; it is a number")]),
    "no word": (
        web(group='name="prod" enable="true" whenAllDown="retry"'),
        [(4, r"whenAllDown of group 'prod' is 'retry'; it is try or close")],
    ),
    "rotateLength of 5": (
        web(more='<logging file="l" rotateLength="5"/>'),
        [(9, r"a whole number of bytes from 1024 to 1000000000000, or 0 for never")],
    ),
    "no path": (web(more='<logging file=" "/>'), [(9, r"file of <logging> is ' '; it is a path")]),
    # Structure
    "no service": (b"<config/>", [(1, r"<config> has no <service>; it needs at least one")]),
    "an empty service": (
        web(more="<service/>"),
        [
            (9, r"<service> has no attribute name"),
            (9, r"<service> has no <listen>; it needs at least one"),
            (9, r"<service> has no <group>; it needs at least one"),
        ],
    ),
    "no enabled group": (
        web(group='name="prod"', groups='<group name="b" enable="off"/>'),
        [
            (
                2,
                r"service 'web' has no enabled group; write enable=.true. in group 'prod' or group",
            )
        ],
    ),
    "two enabled groups": (
        web(groups='<group name="b" enable="yes"/>'),
        [(7, r"group 'b' is enabled, and so is group 'prod' in line 4; .*exactly one is")],
    ),
    "two groups enabled in two ways": (
        web(groups='<group name="b"/>\n<enable group="b"/>'),
        [(7, r"group 'b' is enabled, and so is group 'prod' in line 4")],
    ),
    "an unknown group enabled": (
        web(group='name="prod"', groups='<enable group="prd"/>'),
        [(7, r"no group of this service is called 'prd'; did you mean 'prod'")],
    ),
    "an unheard-of group enabled": (
        web(group='name="prod"', groups='<enable group="xyz"/>'),
        [(7, r"no group of this service is called 'xyz'; there are: prod")],
    ),
    "an unknown group enabled where no name is right": (
        web(group='name="a/b"', groups='<enable group="c"/>'),
        [(4, r"'a/b' is no name for a group")],
    ),
    "no group enabled": (
        web(group='name="prod"', groups="<enable/>"),
        [(7, r"<enable> has no attribute group")],
    ),
    "two admins": (
        web(more="<admin/>\n<admin/>\n<admin/>"),
        [
            (10, r"a second <admin> in <config>; the first is in line 9"),
            (11, r"a second <admin> in <config>; the first is in line 9"),
        ],
    ),
    "a misspelt element": (
        web(more="<loging/>"),
        [(9, r"<loging> is not known in <config>; did you mean <logging>\?")],
    ),
    "an element in capitals": (web(more="<ADMIN/>"), [(9, r"did you mean <admin>\?")]),
    "an unheard-of element": (
        web(hosts='<host ip="a:1"/><zzz/>'),
        [
            (
                5,
                r"<zzz> is not known in <group>; there are: <check>, <resource>, <clones>, <disc",
            )
        ],
    ),
    "an element in an empty one": (
        web('<listen ip="*:80"/><allow network="all"><zzz/></allow>'),
        [(3, r"<zzz> is not known in <allow>; nothing stands in it")],
    ),
    "an element out of place": (
        web(more='<host ip="a:1"/>'),
        [(9, r"<host> does not stand in <config>; its place is <group>")],
    ),
    "a misspelt child that is needed": (
        web('<lisen ip="*:80"/>'),
        [(3, r"<lisen> is not known in <service>; did you mean <listen>\?")],
    ),
    "an included file": (
        web(
            more='<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/hostname" '
            'parse="text"/>'
        ),
        [(9, r"<include> is in a namespace; .*nothing is included")],
    ),
    "a long tag": (web(more=f"<{'z' * 99}/>"), [(9, r"<z{60}…> is not known")]),
    "a misspelt attribute": (
        web(hosts='<host ip="a:1" wieght="2"/>'),
        [(5, r"<host> has an attribute 'wieght', which is not known; did you mean 'weight'\?")],
    ),
    "an attribute in capitals": (
        web(hosts='<host ip="a:1" WEIGHT="2"/>'),
        [(5, r"did you mean 'weight'\?")],
    ),
    "an unheard-of attribute": (
        web('<listen ip="*:80" zzz=""/>'),
        [(3, r"<listen> has an attribute 'zzz', which is not known; there are: ip, proxyProtocol")],
    ),
    "an attribute where there are none": (
        web().replace(b"<config>", b'<config a="">'),
        [(1, r"<config> has an attribute 'a', which is not known; it has none")],
    ),
    "an attribute in a namespace": (
        web('<listen ip="*:80" xml:base="/"/>'),
        [(3, r"an attribute 'base', which is not known; namespaces are not used here")],
    ),
    "enable misspelt": (
        web(group='name="prod" enabled="true"'),
        [(4, r"did you mean 'enable'\?")],
    ),
    "text": (web(more="\nhello"), [(10, r"the text 'hello' in <config> means nothing; .*<!--")]),
    "text in an element": (web('<listen ip="*:80">hello</listen>'), [(3, r"the text 'hello'")]),
    "text after a comment": (
        web(more="<!-- a -->\nhello"),
        [(10, r"the text 'hello' in <config>")],
    ),
    # Users
    "a plain password": (
        web(more='<admin><user name="u" access="full" password="hunter2"/></admin>'),
        [(9, r"password of user 'u' is no hash of a password; make one with: txlb passwd")],
    ),
    "half a hash": (
        web(more='<admin><user name="u" access="full" password="$argon2id$v=19$"/></admin>'),
        [(9, r"is no hash of a password")],
    ),
    "no password": (
        web(more='<admin><user name="u" access="full"/></admin>'),
        [(9, r"user 'u' has neither password nor authorizedKeys")],
    ),
    "no access": (
        web(more=f'<admin><user name="u" password="{ARGON2ID}"/></admin>'),
        [(9, r"user 'u' has no attribute access; it needs one, .* full, operator or readonly")],
    ),
    "other access": (
        web(more=f'<admin><user name="u" password="{ARGON2ID}" access="root"/></admin>'),
        [(9, r"access of user 'u' is 'root'; it is full, operator or readonly")],
    ),
}
