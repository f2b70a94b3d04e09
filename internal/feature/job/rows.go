package job

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

func scanJob(scan func(...any) error) (Job, error) {
	var x Job
	var started, ended int64
	err := scan(&x.ID, &x.Op, &x.Tenant, &x.Actor, &x.State, &x.Summary, &started, &ended)
	x.Started = time.UnixMicro(started).UTC()
	if ended != 0 {
		x.Ended = time.UnixMicro(ended).UTC()
	}
	return x, err
}

// byID answers core.NotFound for a job that is not there.
func byID(ctx context.Context, v *act.View, id string) (Job, error) {
	var found []Job
	err := v.Each(ctx, `SELECT id, op, tenant, actor, state, summary, started, ended FROM job_job WHERE id = $1`, []any{id}, func(scan func(...any) error) error {
		x, err := scanJob(scan)
		found = append(found, x)
		return err
	})
	if err == nil && len(found) == 0 {
		return Job{}, core.Errorf(core.NotFound, "there is no job %.40q", id)
	}
	if err != nil {
		return Job{}, err
	}
	return found[0], nil
}

func recent(ctx context.Context, v *act.View) ([]Job, error) {
	var all []Job
	err := v.Each(ctx, `SELECT id, op, tenant, actor, state, summary, started, ended FROM job_job ORDER BY started DESC LIMIT 200`, nil, func(scan func(...any) error) error {
		x, err := scanJob(scan)
		all = append(all, x)
		return err
	})
	return all, err
}

func owner(ctx context.Context, v *act.View, id string) (string, error) {
	x, err := byID(ctx, v, id)
	return x.Tenant, err
}

func digest(ctx context.Context, v *act.View, id string) (string, error) {
	x, err := byID(ctx, v, id)
	if err != nil && core.CodeOf(err) == core.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return act.DigestOf(x)
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	var all []string
	err := v.Each(ctx, `SELECT id FROM job_job`, nil, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		all = append(all, id)
		return err
	})
	return all, err
}
