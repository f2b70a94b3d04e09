package date

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// fixedZone is a zone as lines and logtimezone name it.
var fixedZone = regexp.MustCompile(`^(` + abbreviation + `)?([+-][01]\d(?::?\d{2})?)?$`)

// zoneOffset returns how many minutes a zone is east of UTC.
func zoneOffset(zone string) (minutes int, ok bool) {
	m := fixedZone.FindStringSubmatch(zone)
	if m == nil {
		return 0, false
	}
	if minutes, ok = abbreviations[m[1]]; !ok || m[2] == "" {
		return minutes, ok
	}
	digits := strings.ReplaceAll(m[2][1:], ":", "")
	hours, _ := strconv.Atoi(digits[:2])
	rest, _ := strconv.Atoi(digits[2:])
	if m[2][0] == '-' {
		return minutes - hours*60 - rest, true
	}
	return minutes + hours*60 + rest, true
}

// checkZone says what is accepted if a zone is not.
func checkZone(zone string) (minutes int, err error) {
	minutes, ok := zoneOffset(zone)
	if !ok {
		return 0, fmt.Errorf("logtimezone = %q: accepted is an offset such as UTC+0100 or -05:00, or a known abbreviation such as CET", zone)
	}
	return minutes, nil
}

// abbreviations are the names of zones that fail2ban knows, in minutes east of UTC.
// They stand for what they say, winter and summer.
var abbreviations = func() map[string]int {
	all := map[string]int{"": 0}
	for minutes, names := range map[int]string{
		-720: "Y",
		-660: "X NUT SST",
		-600: "W CKT HAST HST TAHT TKT",
		-570: "MART MIT",
		-540: "V AKST GAMT GIT HADT HNY",
		-480: "U AKDT CIST HAY HNP PST PT",
		-420: "T HAP HNR MST PDT",
		-360: "S CST EAST GALT HAR HNC MDT",
		-300: "R CDT COT EASST ECT EST ET HAC HNE PET",
		-270: "HLV VET",
		-240: "Q AST BOT CLT COST EDT FKT GYT HAE HNA PYT",
		-210: "HNT NST NT",
		-180: "P ADT ART BRT CLST FKST GFT HAA PMST PYST SRT UYT WGT",
		-150: "HAT NDT",
		-120: "O BRST FNT PMDT UYST WGST",
		-60:  "N AZOT CVT EGT",
		0:    "Z EGST GMT UTC WET WT",
		60:   "A CET DFT WAT WEDT WEST",
		120:  "B CAT CEDT CEST EET SAST WAST",
		180:  "C EAT EEDT EEST IDT MSK",
		210:  "IRST",
		240:  "D AMT AZT GET GST KUYT MSD MUT RET SAMT SCT",
		270:  "AFT IRDT",
		300:  "E AMST AQTT AZST HMT MAWT MVT PKT TFT TJT TMT UZT YEKT",
		330:  "SLT",
		345:  "NPT",
		360:  "F ALMT BIOT BTT IOT KGT NOVT OMST YEKST",
		390:  "CCT MMT",
		420:  "G CXT DAVT HOVT ICT KRAT NOVST OMSST THA WIB",
		480:  "H ACT AWST BDT BNT CAST HKT IRKT KRAST MYT PHT SGT ULAT WITA WST",
		540:  "I AWDT IRKST JST KST PWT TLT WDT WIT YAKT",
		570:  "ACST",
		600:  "K AEST ChST PGT VLAT YAKST YAPT",
		630:  "ACDT LHST",
		660:  "L AEDT LHDT MAGT NCT PONT SBT VLAST VUT",
		690:  "NFT",
		720:  "M ANAST ANAT FJT GILT MAGST MHT NZST PETST PETT TVT WFT",
		780:  "FJST NZDT",
	} {
		for name := range strings.FieldsSeq(names) {
			all[name] = minutes
		}
	}
	return all
}()
