package handler

import (
	"context"
	"encoding/base64"
	"io"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/handlers"
	"hostward/internal/handlers/iis"
)

// untested is on everything about IIS: this server has none to look at.
const untested = "Not tested on a real IIS: try it on one that may fail, and keep the old file."

// LockIn is a file of IIS.
type LockIn struct {
	File act.File `json:"file" cli:"arg" form:"file" rule:"required" doc:"applicationHost.config of IIS, from %windir%\\System32\\inetsrv\\config"`
}

// LockOut is the file with handlers locked.
type LockOut struct {
	Changes  []string `json:"changes"` // none: it was locked already
	Diff     []string `json:"diff"`
	Encoding string   `json:"encoding"`
	File     string   `json:"file"` // the whole file in base64, to be written byte for byte
	Note     string   `json:"note"`
}

func (h *Handlers) lockIIS() act.Declaration {
	return act.Query[LockIn, LockOut]{
		Name: "handler.iis.lock", Doc: "Give back an applicationHost.config of IIS in which handlers are locked; nothing on any machine changes.", Class: class,
		Roles: act.Admins | act.Auditor, Serves: serves(), Sample: LockIn{File: act.NewFile(sampleHost)}, Target: target[LockIn],
		Run: func(_ context.Context, v *act.View, in LockIn) (LockOut, error) {
			data, err := content(v, in.File)
			if err != nil {
				return LockOut{}, err
			}
			l, err := iis.Lock(data)
			if err != nil {
				return LockOut{}, core.Errorf(core.Invalid, "the file is left as it is: %w", err)
			}
			return LockOut{Changes: l.Changes, Diff: handlers.Diff(l.Before, l.After), Encoding: l.Encoding, File: base64.StdEncoding.EncodeToString(l.File), Note: untested}, nil
		},
	}
}

// SiteIn is a file of a site.
type SiteIn struct {
	File act.File `json:"file" cli:"arg" form:"file" rule:"required" doc:"web.config of a site"`
}

// SiteOut is what of it a locked section breaks.
type SiteOut struct {
	Breaks []iis.Use `json:"breaks"`
	Note   string    `json:"note"`
}

func (h *Handlers) impactIIS() act.Declaration {
	return act.Query[SiteIn, SiteOut]{
		Name: "handler.iis.impact", Doc: "List the lines of a web.config that IIS would refuse (500.19) once handlers are locked.", Class: class,
		Roles: act.Admins | act.Auditor, Serves: serves(), Sample: SiteIn{File: act.NewFile(sampleSite)}, Target: target[SiteIn],
		Run: func(_ context.Context, v *act.View, in SiteIn) (SiteOut, error) {
			data, err := content(v, in.File)
			if err != nil {
				return SiteOut{}, err
			}
			uses, err := iis.Uses(data)
			if err != nil {
				return SiteOut{}, core.Errorf(core.Invalid, "the file cannot be read: %w", err)
			}
			return SiteOut{Breaks: append([]iis.Use{}, uses...), Note: untested}, nil
		},
	}
}

// mostFile is a little more than the largest file that is taken.
const mostFile = 32<<20 + 1

func content(v *act.View, f act.File) ([]byte, error) {
	r, err := v.Open(f)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, mostFile))
}

const sampleHost = `<configuration><configSections><sectionGroup name="system.webServer"><section name="handlers" overrideModeDefault="Allow" /></sectionGroup></configSections></configuration>`

const sampleSite = `<configuration><system.webServer><handlers><clear /></handlers></system.webServer></configuration>`
