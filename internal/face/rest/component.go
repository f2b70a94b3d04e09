package rest

import (
	"reflect"

	"hostward/internal/act"
)

// components are the parts that operations share.
func (all schemas) components() schema {
	responses := schema{}
	for _, m := range meanings {
		responses[m.Code] = schema{
			"description": m.Title + ". " + m.Doc,
			"content":     schema{"application/problem+json": schema{"schema": ref("schemas", "Problem")}},
		}
	}
	all["Problem"] = all.members(reflect.TypeFor[Problem]())
	all["Answer"] = all.members(reflect.TypeFor[Answer]())
	all["Answer"]["properties"].(schema)["state"] = schema{"type": "string", "enum": []string{act.InForce, act.Pending, act.Drift, act.Unchanged, act.Previewed}}
	all["Upload"] = schema{"type": "object", "required": []string{"output"}, "properties": schema{
		"output": schema{"type": "object", "required": []string{"handle"}, "properties": schema{"handle": schema{"type": "string"}}},
		"state":  schema{"const": act.InForce},
	}}
	return schema{
		"schemas":    all,
		"responses":  responses,
		"parameters": callParameters(),
		"headers":    answerHeaders(),
		"securitySchemes": schema{"bearer": schema{"type": "http", "scheme": "bearer",
			"description": "An API token. It has an expiry, a scope and, if wished, networks; it never can do more than its owner."}},
	}
}

func callParameters() schema {
	boolean := schema{"type": "boolean", "default": false}
	return schema{
		"preview": schema{"name": previewKey, "in": "query", "schema": boolean,
			"description": "Run everything, show what would change, change nothing."},
		"confirm": schema{"name": confirmKey, "in": "query", "schema": boolean,
			"description": "Yes, do it. The header Confirm: true says the same."},
		"ifMatch": schema{"name": "If-Match", "in": "header", "schema": schema{"type": "string", "pattern": `^("[1-9][0-9]*"|\*)$`},
			"description": "The version you saw, from ETag. Another version answers 412."},
		"idempotencyKey": schema{"name": keyHeader, "in": "header", "schema": schema{"type": "string", "minLength": 1, "maxLength": maxKey},
			"description": "A repeat with the same key and input within a day has one effect and the same answer."},
		"reason": schema{"name": reasonHeader, "in": "header", "schema": schema{"type": "string", "maxLength": maxReason},
			"description": "Why, in your words; goes on record."},
	}
}

func answerHeaders() schema {
	text := schema{"type": "string"}
	return schema{
		"ETag":   schema{"description": "The target's version.", "schema": text},
		"State":  schema{"description": "in force, pending, drift, unchanged or preview.", "schema": text},
		"Record": schema{"description": "Id of the log record.", "schema": text},
	}
}
