rule report:
    input:
        slide=result("slide.zarr"),
        labels=result("labels.zarr"),
        gates=result("gates.csv"),
        regions=result("regions.zarr"),
        landscape=result("landscape.csv"),
        cells=result("cells.parquet"),
        csv=result("cells.csv"),
        panel=ancient(panel),
    output:
        report=result("report.html"),
        provenance=result("provenance.json"),
    log:
        result("logs/report.log"),
    benchmark:
        result("logs/report.tsv")
    conda:
        "../../envs/mifprofile.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
    params:
        config=CONFIG,
        out=folder,
        panel=panel_part(),
        section=section("report"),
    shell:
        "mifprofile report -o {params.out:q} --panel {input.panel:q} "
        "--config {params.config:q} > {log:q} 2>&1"
