package web

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"hostward/internal/core"
)

// Bar is one column of a histogram. Parts are stacked from the ground up.
type Bar struct {
	From, To time.Time
	URL      string // where it leads, "" for nowhere
	Parts    []Part
}

// Part is one outcome's share of a bar.
type Part struct {
	Word  string // a word of state: it gives the colour
	Count int
}

const (
	plotWidth  = 1000
	plotHeight = 72
)

// Bar makes one bar of a histogram; parts are words and counts in turn.
func (s *Sheet) Bar(from, to any, url string, parts ...any) Bar {
	b := Bar{URL: url}
	b.From, _ = moment(from)
	b.To, _ = moment(to)
	for i := 0; i+1 < len(parts); i += 2 {
		n, _ := strconv.Atoi(plain(parts[i+1])) // text that is no number counts nothing
		b.Parts = append(b.Parts, Part{plain(parts[i]), n})
	}
	return b
}

// Bars collects bars: {{$bars := .Bars}}{{range …}}{{$bars = append $bars …}}.
func (s *Sheet) Bars() []Bar { return nil }

// collect appends a bar to bars, or a stretch to stretches.
func collect(list, x any) (any, error) {
	bars, ok := list.([]Bar)
	if b, also := x.(Bar); ok && also {
		return append(bars, b), nil
	}
	stretches, ok := list.([]Stretch)
	if s, also := x.(Stretch); ok && also {
		return append(stretches, s), nil
	}
	return nil, fmt.Errorf("append takes .Bars and a .Bar, or .Stretches and a .Stretch, not %T and %T", list, x)
}

// Histogram draws bars over time as SVG, without a line of style: attributes
// and classes only. What it shows is also written out for a screen reader.
func (s *Sheet) Histogram(title string, bars []Bar) template.HTML {
	if len(bars) == 0 {
		return ""
	}
	most, total := 1, 0
	for _, b := range bars {
		most, total = max(most, b.total()), total+b.total()
	}
	var w strings.Builder
	fmt.Fprintf(&w, `<figure class="plot"><svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="group" aria-label="%s">`,
		plotWidth, plotHeight, template.HTMLEscapeString(fmt.Sprintf("%s: %d in %d bars, at most %d", title, total, len(bars), most)))
	fmt.Fprintf(&w, `<path class="ground" d="M0 %d.5h%d"/>`, plotHeight-1, plotWidth)
	for i, b := range bars {
		b.draw(&w, float64(i)*plotWidth/float64(len(bars)), plotWidth/float64(len(bars)), most)
	}
	fmt.Fprintf(&w, `</svg><figcaption>%s<span>%s</span>%s</figcaption></figure>`, timeTag(bars[0].From, axis(bars)), legend(bars), timeTag(bars[len(bars)-1].To, axis(bars)))
	return template.HTML(w.String())
}

// legend names the colours, with what each adds up to.
func legend(bars []Bar) string {
	var order []string
	sums := map[string]int{}
	for _, b := range bars {
		for _, p := range b.Parts {
			if _, seen := sums[p.Word]; !seen {
				order = append(order, p.Word)
			}
			sums[p.Word] += p.Count
		}
	}
	var w strings.Builder
	for _, word := range order {
		fmt.Fprintf(&w, `<span class="key"><svg viewBox="0 0 8 8" aria-hidden="true"><rect class="%s" width="8" height="8" rx="1"/></svg>%s %s</span> `,
			or(tone(word), "calm"), count(sums[word]), template.HTMLEscapeString(word))
	}
	return w.String()
}

// axis writes dates for long spans and minutes for short ones.
func axis(bars []Bar) string {
	if bars[len(bars)-1].To.Sub(bars[0].From) > 72*time.Hour {
		return "2006-01-02"
	}
	return "2006-01-02 15:04"
}

func (b *Bar) total() (n int) {
	for _, p := range b.Parts {
		n += p.Count
	}
	return n
}

func (b *Bar) label() string {
	text := b.From.Format("2006-01-02 15:04") + ": "
	if b.total() == 0 {
		return text + "nothing"
	}
	var parts []string
	for _, p := range b.Parts {
		if p.Count > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.Count, p.Word))
		}
	}
	return text + strings.Join(parts, ", ")
}

func (b *Bar) draw(w *strings.Builder, x, width float64, most int) {
	if link := localPath(b.URL); link != "" && b.total() > 0 {
		fmt.Fprintf(w, `<a href="%s" aria-label="%s">`, template.HTMLEscapeString(link), template.HTMLEscapeString(b.label()))
		defer w.WriteString(`</a>`)
	}
	fmt.Fprintf(w, `<rect class="veil" x="%.1f" y="0" width="%.1f" height="%d"><title>%s</title></rect>`, x, width, plotHeight, template.HTMLEscapeString(b.label()))
	y := float64(plotHeight - 1)
	for _, p := range b.Parts {
		if p.Count <= 0 {
			continue
		}
		h := max(1.5, float64(p.Count)*(plotHeight-4)/float64(most))
		y -= h
		fmt.Fprintf(w, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`, template.HTMLEscapeString(or(tone(p.Word), "calm")), x+width*.12, y, width*.76, h)
	}
}

// Stretch is a stretch of time in which something was between two spans of time.
type Stretch struct {
	From, To  time.Time
	Low, High float64 // seconds
	Known     bool
}

// Stretches collects stretches, as Bars does bars.
func (s *Sheet) Stretches() []Stretch { return nil }

// Stretch makes one of them.
func (s *Sheet) Stretch(from, to any, low, high float64, known bool) Stretch {
	x := Stretch{Low: low, High: high, Known: known}
	x.From, _ = moment(from)
	x.To, _ = moment(to)
	return x
}

func (x Stretch) far() float64 { return max(math.Abs(x.Low), math.Abs(x.High)) }

func (x Stretch) label() string {
	when := x.From.Format("2006-01-02 15:04") + ": "
	if !x.Known {
		return when + "not known"
	}
	return when + core.Seconds(x.Low) + " to " + core.Seconds(x.High)
}

// Curve draws how something swung around nothing over time, as SVG. What is further
// than limit seconds stands out and goes to the edge, so that it does not flatten the
// rest; what was not measured is left empty.
func (s *Sheet) Curve(title string, from, to any, limit float64, list []Stretch) template.HTML {
	begin, ok := moment(from)
	end, also := moment(to)
	if len(list) == 0 || !ok || !also || !end.After(begin) {
		return ""
	}
	most, all := 0.0, 1e-9
	for _, x := range list {
		if x.Known {
			all = max(all, x.far())
		}
		if x.Known && x.far() <= limit {
			most = max(most, x.far())
		}
	}
	if most == 0 {
		most = all
	}
	var w strings.Builder
	fmt.Fprintf(&w, `<figure class="plot"><svg viewBox="0 0 %d %d" preserveAspectRatio="none" role="group" aria-label="%s">`,
		plotWidth, plotHeight, template.HTMLEscapeString(fmt.Sprintf("%s: %d measurements, at most %s", title, len(list), core.Seconds(all))))
	fmt.Fprintf(&w, `<path class="ground" d="M0 %d.5h%d"/>`, plotHeight/2, plotWidth)
	for _, x := range list {
		left := plotWidth * x.From.Sub(begin).Seconds() / end.Sub(begin).Seconds()
		width := max(1.5, plotWidth*x.To.Sub(x.From).Seconds()/end.Sub(begin).Seconds())
		class, top, height := "wait", 0.0, float64(plotHeight)
		if x.Known {
			class = "good"
			if x.far() > limit {
				class = "bad"
			}
			low, high := min(max(x.Low/most, -1), 1), min(max(x.High/most, -1), 1)
			top, height = plotHeight/2*(1-high), max(1.5, plotHeight/2*(high-low))
		}
		fmt.Fprintf(&w, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`, class, left, top, width, height, template.HTMLEscapeString(x.label()))
	}
	form := axis([]Bar{{From: begin, To: end}})
	fmt.Fprintf(&w, `</svg><figcaption>%s<span>%s from top to bottom</span>%s</figcaption></figure>`, timeTag(begin, form), core.Seconds(2*most), timeTag(end, form))
	return template.HTML(w.String())
}
