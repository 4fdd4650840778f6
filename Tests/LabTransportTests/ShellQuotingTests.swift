import LabTransport
import Testing

@Suite struct ShellQuotingTests {
    @Test(arguments: [
        ("plain", "plain"), ("", "''"), ("two words", "'two words'"), ("it's", "'it'\\''s'"), ("$HOME", "'$HOME'"),
        ("a\nb", "'a\nb'"), ("-x", "-x"), ("~", "'~'"), ("a=b", "'a=b'"), ("ä", "'ä'"), ("/usr/bin", "/usr/bin"),
    ])
    func quotes(word: String, quoted: String) {
        #expect(ShellQuoting.quote(word) == quoted)
    }
}
