package strength

import "strings"

// phrases are what people choose when a long password is asked for, without blanks.
const phrases = `
correcthorsebatterystaple administrator123 administratoradministrator passwordpassword passw0rdpassw0rd
password12345678 password123456789 changemechangeme letmeinletmeinletmein iloveyouiloveyou
123456789012345 1234567890123456 123456789abcdef 0123456789abcdef abcdefghijklmno abcdefghijklmnop
abcdefghijklmnopqrstuvwxyz qwertyuiopasdfgh qwertyuiopasdfghjkl qwertyuiopasdfghjklzxcvbnm qwertzuiopasdfgh
1qaz2wsx3edc4rfv 1q2w3e4r5t6y7u8i 1q2w3e4r5t6y7u8i9o0p q1w2e3r4t5y6u7i8 zaq12wsxcde34rfv !qaz2wsx#edc4rfv
thisismypassword thisisapassword mypasswordis123
mysecretpassword supersecretpassword letmeinplease changemenow pleasechangeme iloveyousomuch iloveyouforever
welcometothejungle welcomehome thequickbrownfox thequickbrownfoxjumpsoverthelazydog loremipsum loremipsumdolorsitamet
maytheforcebewithyou tobeornottobe tobeornottobethatisthequestion allyourbasearebelongtous
openthepodbaydoors winteriscoming livelongandprosper hastalavistababy
idontknowmypassword iforgotmypassword onceuponatime happybirthdaytoyou
`

// elsewhere are words at the top of such lists in other languages, and those of our trade.
const elsewhere = `
admin administrator root server hostward panel webmaster postmaster hosting secret passwd temporary default
passwort kennwort geheim geheimnis hallo schatz liebling sommer fruehling herbst dezember januar oktober
hallowelt ichliebedich schalke deutschland oesterreich
motdepasse bonjour soleil doudou chocolat jetaime
contraseña hola tequiero teamo estrella
senha brasil palavra
wachtwoord welkom geheim01
haslo polska kocham
salasana lösenord parola heslo jelszo sifre
пароль привет любовь россия солнце приветмир наташа
密码 我爱你 woaini mima
`

// house are our own entries. Each list begins with rank 1: with a floor under all
// of them, order within so few does not matter.
func house() (all []entry) {
	for _, list := range []string{phrases, elsewhere} {
		for i, w := range strings.Fields(list) {
			all = append(all, entry{read(w).bare(), newMark(i+1, known, true)})
		}
	}
	return all
}
